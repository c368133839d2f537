/* SPDX-License-Identifier: MIT */
/* __HYPERVISOR_hvm_op: hc_hvm.c. */
#include "fake_kvm.h"

#include <errno.h>
#include <string.h>

#include <xen/xen.h>

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>

#define HVM(m, ...) CALL(m, __HYPERVISOR_hvm_op, __VA_ARGS__)
#define VECTOR_ATTR KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR
#define VIA_VECTOR  ((uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56)
#define VIA_GSI	    ((uint64_t)HVM_PARAM_CALLBACK_TYPE_GSI << 56)

static int64_t param(struct machine *m, uint32_t op, uint16_t domid, uint32_t index,
		     uint64_t *value)
{
	struct xen_hvm_param arg = {.domid = domid, .index = index, .value = *value};
	int64_t rc = call_arg(m, __HYPERVISOR_hvm_op, op, &arg, sizeof(arg));

	*value = arg.value;
	return rc;
}

static int64_t get_self(struct machine *m, uint32_t index, uint64_t *value)
{
	return param(m, HVMOP_get_param, DOMID_SELF, index, value);
}

static int64_t set_self(struct machine *m, uint32_t index, uint64_t value)
{
	return param(m, HVMOP_set_param, DOMID_SELF, index, &value);
}

static void params_of_console_and_store_are_read(void **state)
{
	uint64_t value = ~0ull;

	assert_int_equal(get_self(*state, HVM_PARAM_STORE_EVTCHN, &value), 0);
	assert_int_equal(value, STORE_PORT);
	assert_int_equal(get_self(*state, HVM_PARAM_CONSOLE_PFN, &value), 0);
	assert_int_equal(value, CONSOLE_PFN);
}

static void a_readable_param_that_is_not_set_is_zero(void **state)
{
	const uint32_t indexes[] = {HVM_PARAM_CALLBACK_IRQ,	     HVM_PARAM_VM86_TSS,
				    HVM_PARAM_VM86_TSS_SIZED,	     HVM_PARAM_ALTP2M,
				    HVM_PARAM_ACPI_IOPORTS_LOCATION, HVM_PARAM_X87_FIP_WIDTH,
				    HVM_PARAM_VM_GENERATION_ID_ADDR};

	for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
		uint64_t value = 99;

		assert_int_equal(get_self(*state, indexes[i], &value), 0);
		assert_int_equal(value, 0);
	}
}

/* Numbers as in Xen's hvm_allow_get_param(). */
static void deprecated_params_are_einval(void **state)
{
	static const uint8_t indexes[] = {4, 13, 20, 21, 22, 23, 24, 25, 26, 30};

	for (size_t i = 0; i < sizeof(indexes); i++) {
		uint64_t value = 99;

		assert_int_equal(get_self(*state, indexes[i], &value), -EINVAL);
		assert_int_equal(value, 99);
		assert_int_equal(set_self(*state, indexes[i], 1), -EINVAL);
	}
}

static void the_toolstacks_params_are_eperm(void **state)
{
	static const uint8_t indexes[] = {
		3,
		HVM_PARAM_IOREQ_PFN,
		HVM_PARAM_BUFIOREQ_PFN,
		7,
		8,
		HVM_PARAM_VIRIDIAN,
		HVM_PARAM_TIMER_MODE,
		HVM_PARAM_HPET_ENABLED,
		HVM_PARAM_IDENT_PT,
		HVM_PARAM_ACPI_S_STATE,
		HVM_PARAM_VPT_ALIGN,
		HVM_PARAM_PAGING_RING_PFN,
		HVM_PARAM_MONITOR_RING_PFN,
		HVM_PARAM_SHARING_RING_PFN,
		HVM_PARAM_TRIPLE_FAULT_REASON,
		HVM_PARAM_IOREQ_SERVER_PFN,
		HVM_PARAM_NR_IOREQ_SERVER_PAGES,
		HVM_PARAM_MCA_CAP,
	};

	for (size_t i = 0; i < sizeof(indexes); i++) {
		uint64_t value = 99;

		assert_int_equal(get_self(*state, indexes[i], &value), -EPERM);
		assert_int_equal(value, 99);
		assert_int_equal(set_self(*state, indexes[i], 1), -EPERM);
	}
	assert_int_equal(set_self(*state, HVM_PARAM_STORE_PFN, 1), -EPERM);
	assert_int_equal(set_self(*state, HVM_PARAM_CONSOLE_PFN, 1), -EPERM);
	assert_int_equal(set_self(*state, HVM_PARAM_ALTP2M, 1), -EEXIST);
}

static void params_out_of_range_are_einval_for_any_domain(void **state)
{
	const uint32_t indexes[] = {HVM_NR_PARAMS, HVM_NR_PARAMS + 1, 255, 0x80000000, UINT32_MAX};
	const uint16_t domids[] = {DOMID_SELF, 0, 5};

	for (size_t i = 0; i < 5; i++)
		for (size_t j = 0; j < 3; j++) {
			uint64_t value = 0;

			assert_int_equal(
				param(*state, HVMOP_get_param, domids[j], indexes[i], &value),
				-EINVAL);
			assert_int_equal(
				param(*state, HVMOP_set_param, domids[j], indexes[i], &value),
				-EINVAL);
		}
}

static void params_of_other_domains_are_out_of_reach(void **state)
{
	static const struct {
		uint16_t domid;
		int rc;
	} cases[] = {{0, -EPERM},	  {5, -ESRCH},	    {DOMID_IO, -ESRCH},
		     {DOMID_XEN, -ESRCH}, {0xffff, -ESRCH}, {DOMID_INVALID, -ESRCH},
		     {UC_VM_DOMID, 0},	  {DOMID_SELF, 0}};
	uint64_t value = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
			param(*state, HVMOP_get_param, cases[i].domid, HVM_PARAM_STORE_PFN, &value),
			cases[i].rc);
		value = 0;
		assert_int_equal(param(*state, HVMOP_set_param, cases[i].domid,
				       HVM_PARAM_CALLBACK_IRQ, &value),
				 cases[i].rc);
	}
}

static void linux_may_set_its_callback_to_gsi_1(void **state)
{
	assert_int_equal(set_self(*state, HVM_PARAM_CALLBACK_IRQ, VIA_GSI | 1), 0);
	assert_int_equal(set_self(*state, HVM_PARAM_CALLBACK_IRQ, 0), 0);
}

static void the_global_callback_vector_is_not_offered(void **state)
{
	assert_int_equal(set_self(*state, HVM_PARAM_CALLBACK_IRQ, VIA_VECTOR | 0xf3), -ENOSYS);
}

/* ---- the upcall vector ---- */

static int64_t set_vector(struct machine *m, uint32_t vcpu, uint8_t vector)
{
	struct xen_hvm_evtchn_upcall_vector arg = {.vcpu = vcpu, .vector = vector};

	return call_arg(m, __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &arg, sizeof(arg));
}

static void a_vector_reaches_kvm_and_the_kick(void **state)
{
	struct machine *m = *state;
	uint32_t port;

	assert_int_equal(uc_domain_set_shared_info(&m->vm.domain, FREE_GFN), 0);
	for (uint32_t i = 0; i < VCPUS; i++) {
		assert_int_equal(set_vector(m, i, (uint8_t)(0xf0 + i)), 0);
		assert_int_equal(m->vcpu_attr[i][VECTOR_ATTR], 0xf0 + i);
		assert_int_equal(m->signals[i], 0);
		assert_int_equal(uc_bind_ipi(&m->vm.domain, i, &port), 0);
		assert_int_equal(uc_send(&m->vm.domain, port), 0);
		assert_int_equal(m->signals[i], 1);
		assert_int_equal(m->last_vector, 0xf0 + i);
	}
}

static void an_upcall_that_waits_comes_with_the_vector(void **state)
{
	struct machine *m = *state;
	uint32_t port;

	assert_int_equal(uc_domain_set_shared_info(&m->vm.domain, FREE_GFN), 0);
	assert_int_equal(uc_bind_ipi(&m->vm.domain, 1, &port), 0);
	assert_int_equal(uc_send(&m->vm.domain, port), 0);
	assert_int_equal(m->signals[1], 0);
	assert_int_equal(set_vector(m, 1, 0xf3), 0);
	assert_int_equal(m->signals[1], 1);
}

static void vectors_of_exceptions_are_refused(void **state)
{
	struct machine *m = *state;

	for (uint8_t vector = 0; vector < 0x10; vector++) {
		assert_int_equal(set_vector(m, 0, vector), -EINVAL);
		/* Xen looks at the vector first. */
		assert_int_equal(set_vector(m, VCPUS, vector), -EINVAL);
	}
	assert_int_equal(m->vcpu_attrs[0][VECTOR_ATTR], 0);
	assert_int_equal(set_vector(m, 0, 0x10), 0);
	assert_int_equal(set_vector(m, 0, 0xff), 0);
}

static void vectors_of_absent_vcpus_are_enoent(void **state)
{
	assert_int_equal(set_vector(*state, VCPUS, 0xf3), -ENOENT);
	assert_int_equal(set_vector(*state, 0x80000000, 0xf3), -ENOENT);
	assert_int_equal(set_vector(*state, UINT32_MAX, 0xf3), -ENOENT);
}

static void a_vector_that_kvm_refuses_is_not_used(void **state)
{
	struct machine *m = *state;

	m->vcpu_attr_errno = EINVAL;
	assert_int_equal(set_vector(m, 0, 0xf3), -EINVAL);
	assert_int_equal(m->vm.vcpus[0].upcall_vector, 0);
}

static void hvm_arguments_that_are_not_ram_fault(void **state)
{
	struct machine *m = *state;
	const uint32_t ops[] = {HVMOP_set_param, HVMOP_get_param, HVMOP_set_evtchn_upcall_vector};
	struct xen_hvm_param arg = {.domid = DOMID_SELF, .index = HVM_PARAM_STORE_PFN};

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(HVM(m, ops[i], RAM_BYTES), -EFAULT);
		assert_int_equal(HVM(m, ops[i], RAM_BYTES - 1), -EFAULT);
		assert_int_equal(HVM(m, ops[i], 1ull << 47), -EFAULT);
	}
	memcpy(ram(m, ARG), &arg, sizeof(arg));
	m->readonly_page = ARG;
	assert_int_equal(HVM(m, HVMOP_get_param, ARG), -EFAULT);
}

static void other_hvm_ops_are_enosys(void **state)
{
	for (uint64_t op = 2; op < 64; op++)
		if (op != HVMOP_set_evtchn_upcall_vector)
			assert_int_equal(HVM(*state, op, ARG), -ENOSYS);
	/* Here Xen takes all 64 bits. */
	assert_int_equal(HVM(*state, 1ull << 32 | HVMOP_get_param, ARG), -ENOSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(params_of_console_and_store_are_read),
		SERVED(a_readable_param_that_is_not_set_is_zero),
		SERVED(deprecated_params_are_einval),
		SERVED(the_toolstacks_params_are_eperm),
		SERVED(params_out_of_range_are_einval_for_any_domain),
		SERVED(params_of_other_domains_are_out_of_reach),
		SERVED(linux_may_set_its_callback_to_gsi_1),
		SERVED(the_global_callback_vector_is_not_offered),
		SERVED(a_vector_reaches_kvm_and_the_kick),
		SERVED(an_upcall_that_waits_comes_with_the_vector),
		SERVED(vectors_of_exceptions_are_refused),
		SERVED(vectors_of_absent_vcpus_are_enoent),
		SERVED(a_vector_that_kvm_refuses_is_not_used),
		SERVED(hvm_arguments_that_are_not_ram_fault),
		SERVED(other_hvm_ops_are_enosys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
