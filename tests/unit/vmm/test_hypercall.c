/* SPDX-License-Identifier: MIT */
/* The hypercall table, and the hypercalls without a file of their own: hypercall.c, hc_version.c.
 */
#include "fake_kvm.h"

#include <errno.h>
#include <string.h>

#include <xen/xen.h>

#include <xen/features.h>
#include <xen/sched.h>
#include <xen/version.h>

#include "vmm/kvm/cpuid.h"

#define VERSION(m, ...)	 CALL(m, __HYPERVISOR_xen_version, __VA_ARGS__)
#define UPPER		 (0xdeadull << 32) /* Xen takes most numbers as 32 bits */
#define UNMAPPED(m, gva) ((m)->unmapped_page = (gva) & ~(uint64_t)(UC_PAGE_SIZE - 1))

/* ---- dispatch ---- */

static bool offered(uint64_t number)
{
	static const uint8_t numbers[] = {
		__HYPERVISOR_memory_op,	 __HYPERVISOR_set_timer_op,   __HYPERVISOR_xen_version,
		__HYPERVISOR_console_io, __HYPERVISOR_grant_table_op, __HYPERVISOR_vm_assist,
		__HYPERVISOR_vcpu_op,	 __HYPERVISOR_sched_op,	      __HYPERVISOR_event_channel_op,
		__HYPERVISOR_hvm_op,
	};

	for (size_t i = 0; i < sizeof(numbers); i++)
		if (numbers[i] == number)
			return true;
	return false;
}

static void unknown_numbers_are_enosys(void **state)
{
	struct machine *m = *state;
	const uint64_t far[] = {256,
				0x40000000,
				UINT32_MAX,
				1ull << 32,
				(1ull << 32) + __HYPERVISOR_xen_version,
				1ull << 63,
				UINT64_MAX};

	for (uint64_t number = 0; number < 256; number++)
		if (!offered(number))
			assert_int_equal(CALL(m, number, 0), -ENOSYS);
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++)
		assert_int_equal(CALL(m, far[i], 0), -ENOSYS);
}

static void user_mode_may_call_nothing(void **state)
{
	struct machine *m = *state;
	struct uc_hypercall hypercall = {.long_mode = 1};

	for (hypercall.cpl = 1; hypercall.cpl <= 3; hypercall.cpl++)
		for (hypercall.number = 0; hypercall.number < 64; hypercall.number++)
			assert_int_equal(uc_hypercall(&m->vm.vcpus[0], &hypercall), -EPERM);
}

static void outside_long_mode_there_is_nothing(void **state)
{
	struct machine *m = *state;
	struct uc_hypercall hypercall = {0};

	for (hypercall.number = 0; hypercall.number < 64; hypercall.number++)
		assert_int_equal(uc_hypercall(&m->vm.vcpus[0], &hypercall), -ENOSYS);
}

static void unknown_sub_ops_are_enosys(void **state)
{
	struct machine *m = *state;
	const uint64_t numbers[] = {__HYPERVISOR_memory_op,	  __HYPERVISOR_xen_version,
				    __HYPERVISOR_grant_table_op,  __HYPERVISOR_vcpu_op,
				    __HYPERVISOR_sched_op,	  __HYPERVISOR_hvm_op,
				    __HYPERVISOR_event_channel_op};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		assert_int_equal(CALL(m, numbers[i], 63, 0, ARG), -ENOSYS);
		assert_int_equal(CALL(m, numbers[i], UINT32_MAX, 0, ARG), -ENOSYS);
	}
}

/* ---- sched_op ---- */

static int64_t shutdown_with(struct machine *m, uint32_t reason)
{
	struct sched_shutdown arg = {.reason = reason};

	m->vm.end = UC_VM_RUNNING;
	return call_arg(m, __HYPERVISOR_sched_op, SCHEDOP_shutdown, &arg, sizeof(arg));
}

static void shutdown_reasons_become_ends(void **state)
{
	struct machine *m = *state;

	assert_int_equal(shutdown_with(m, SHUTDOWN_poweroff), 0);
	assert_int_equal(m->vm.end, UC_VM_POWEROFF);
	assert_int_equal(shutdown_with(m, SHUTDOWN_reboot), 0);
	assert_int_equal(m->vm.end, UC_VM_REBOOT);
	assert_int_equal(shutdown_with(m, SHUTDOWN_crash), 0);
	assert_int_equal(m->vm.end, UC_VM_CRASH);
	assert_int_equal(shutdown_with(m, SHUTDOWN_watchdog), 0);
	assert_int_equal(m->vm.end, UC_VM_WATCHDOG);
	assert_int_equal(shutdown_with(m, 0x100 | SHUTDOWN_crash), 0);
	assert_int_equal(m->vm.end, UC_VM_CRASH);
}

static void other_shutdown_reasons_do_nothing(void **state)
{
	struct machine *m = *state;

	for (uint32_t reason = 0; reason < 256; reason++) {
		if (reason <= SHUTDOWN_watchdog && reason != SHUTDOWN_suspend)
			continue;
		assert_int_equal(shutdown_with(m, reason), -EINVAL);
		assert_int_equal(m->vm.end, UC_VM_RUNNING);
	}
}

static void shutdown_without_an_argument_faults(void **state)
{
	struct machine *m = *state;

	assert_int_equal(CALL(m, __HYPERVISOR_sched_op, SCHEDOP_shutdown, RAM_BYTES), -EFAULT);
	assert_int_equal(m->vm.end, UC_VM_RUNNING);
}

static void yield_and_poll_return(void **state)
{
	struct machine *m = *state;

	assert_int_equal(CALL(m, __HYPERVISOR_sched_op, SCHEDOP_yield), 0);
	assert_int_equal(CALL(m, __HYPERVISOR_sched_op, SCHEDOP_poll, ARG), 0);
	assert_int_equal(CALL(m, __HYPERVISOR_sched_op, UPPER | SCHEDOP_yield), 0);
}

/* ---- xen_version ---- */

static void version_is_that_of_cpuid(void **state)
{
	assert_int_equal(VERSION(*state, XENVER_version),
			 UC_XEN_VERSION_MAJOR << 16 | UC_XEN_VERSION_MINOR);
	assert_int_equal(VERSION(*state, UPPER | XENVER_version),
			 UC_XEN_VERSION_MAJOR << 16 | UC_XEN_VERSION_MINOR);
}

static void features_are_those_a_pvh_guest_needs(void **state)
{
	struct xen_feature_info info = {.submap_idx = 0, .submap = 0xffffffff};

	assert_int_equal(call_arg(*state, __HYPERVISOR_xen_version, XENVER_get_features, &info,
				  sizeof(info)),
			 0);
	assert_int_equal(info.submap, 1u << XENFEAT_auto_translated_physmap |
					      1u << XENFEAT_supervisor_mode_kernel |
					      1u << XENFEAT_hvm_callback_vector |
					      1u << XENFEAT_hvm_safe_pvclock);
}

static void other_feature_maps_are_refused(void **state)
{
	const uint32_t indexes[] = {1, 2, 0x80000000, UINT32_MAX};

	for (size_t i = 0; i < 4; i++) {
		struct xen_feature_info info = {.submap_idx = indexes[i]};

		assert_int_equal(call_arg(*state, __HYPERVISOR_xen_version, XENVER_get_features,
					  &info, sizeof(info)),
				 -EINVAL);
	}
}

static void texts_fill_their_buffers_and_no_more(void **state)
{
	static const struct {
		uint32_t op;
		size_t bytes;
	} texts[] = {{XENVER_extraversion, sizeof(xen_extraversion_t)},
		     {XENVER_capabilities, sizeof(xen_capabilities_info_t)},
		     {XENVER_changeset, sizeof(xen_changeset_info_t)}};
	struct machine *m = *state;
	char *at = ram(m, ARG);

	for (size_t i = 0; i < 3; i++) {
		memset(at, 'x', UC_PAGE_SIZE);
		assert_int_equal(VERSION(m, texts[i].op, ARG), 0);
		assert_true(strnlen(at, texts[i].bytes) < texts[i].bytes);
		assert_true(at[0] != '\0');
		assert_int_equal(at[texts[i].bytes - 1], '\0');
		assert_int_equal(at[texts[i].bytes], 'x');
	}
}

static void texts_fault_on_what_cannot_be_written(void **state)
{
	struct machine *m = *state;

	m->readonly_page = ARG;
	for (uint32_t op = XENVER_extraversion; op <= XENVER_get_features; op++)
		if (op != XENVER_compile_info && op != XENVER_platform_parameters)
			assert_int_equal(VERSION(m, op, ARG), -EFAULT);
	assert_int_equal(VERSION(m, XENVER_extraversion, RAM_BYTES - 8), -EFAULT);
}

static void page_size_takes_no_argument(void **state)
{
	assert_int_equal(VERSION(*state, XENVER_pagesize, 0), UC_PAGE_SIZE);
	assert_int_equal(VERSION(*state, XENVER_pagesize, ARG), -EINVAL);
}

/* ---- console_io ---- */

static void console_write_arrives_whole(void **state)
{
	static const uint32_t lengths[] = {0, 1, 255, 256, 257, 511, 4095, 4096};
	struct machine *m = *state;
	uint8_t *at = ram(m, ARG + 100);

	for (size_t i = 0; i < 4096; i++)
		at[i] = (uint8_t)(i * 7 + i / 256);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		m->nr_output = 0;
		assert_int_equal(CALL(m, __HYPERVISOR_console_io, CONSOLEIO_write,
				      UPPER | lengths[i], ARG + 100),
				 0);
		assert_int_equal(m->nr_output, lengths[i]);
		assert_memory_equal(m->output, at, lengths[i]);
	}
}

static void console_write_of_more_than_a_page_is_refused(void **state)
{
	struct machine *m = *state;
	const uint64_t lengths[] = {4097, 65536, INT32_MAX, 0x80000000, UINT32_MAX};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		assert_int_equal(CALL(m, __HYPERVISOR_console_io, CONSOLEIO_write, lengths[i], 0),
				 -EINVAL);
	assert_int_equal(m->nr_output, 0);
}

static void console_write_faults_where_the_memory_ends(void **state)
{
	struct machine *m = *state;

	UNMAPPED(m, ARG + UC_PAGE_SIZE);
	assert_int_equal(
		CALL(m, __HYPERVISOR_console_io, CONSOLEIO_write, 512, ARG + UC_PAGE_SIZE - 256),
		-EFAULT);
	assert_int_equal(m->nr_output, 256);
}

static void console_read_has_nothing(void **state)
{
	assert_int_equal(CALL(*state, __HYPERVISOR_console_io, CONSOLEIO_read, 64, ARG), 0);
	assert_int_equal(CALL(*state, __HYPERVISOR_console_io, CONSOLEIO_read, 0x80000000, ARG),
			 -E2BIG);
	assert_int_equal(CALL(*state, __HYPERVISOR_console_io, 2, 64, ARG), -ENOSYS);
}

/* ---- vm_assist ---- */

#define UPDATE_FLAG UC_KVM_XEN_ATTR_RUNSTATE_UPDATE_FLAG

static void runstate_update_flag_reaches_kvm(void **state)
{
	struct machine *m = *state;

	assert_int_equal(CALL(m, __HYPERVISOR_vm_assist, UPPER | VMASST_CMD_enable,
			      UPPER | VMASST_TYPE_runstate_update_flag),
			 0);
	assert_int_equal(m->vm_attr[UPDATE_FLAG], 1);
	assert_int_equal(CALL(m, __HYPERVISOR_vm_assist, VMASST_CMD_disable,
			      VMASST_TYPE_runstate_update_flag),
			 0);
	assert_int_equal(m->vm_attr[UPDATE_FLAG], 0);
	assert_int_equal(m->vm_attrs[UPDATE_FLAG], 2);
}

static void other_assists_are_refused(void **state)
{
	struct machine *m = *state;

	for (uint32_t type = 0; type < 70; type++)
		if (type != VMASST_TYPE_runstate_update_flag)
			assert_int_equal(CALL(m, __HYPERVISOR_vm_assist, VMASST_CMD_enable, type),
					 -EINVAL);
	assert_int_equal(CALL(m, __HYPERVISOR_vm_assist, 2, VMASST_TYPE_runstate_update_flag),
			 -ENOSYS);
	assert_int_equal(m->vm_attrs[UPDATE_FLAG], 0);
}

static void a_kvm_without_the_flag_says_so(void **state)
{
	struct machine *m = *state;

	m->vm_attr_errno = EINVAL;
	assert_int_equal(CALL(m, __HYPERVISOR_vm_assist, VMASST_CMD_enable,
			      VMASST_TYPE_runstate_update_flag),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unknown_numbers_are_enosys),
		TEST(user_mode_may_call_nothing),
		TEST(outside_long_mode_there_is_nothing),
		TEST(unknown_sub_ops_are_enosys),
		TEST(shutdown_reasons_become_ends),
		TEST(other_shutdown_reasons_do_nothing),
		TEST(shutdown_without_an_argument_faults),
		TEST(yield_and_poll_return),
		TEST(version_is_that_of_cpuid),
		TEST(features_are_those_a_pvh_guest_needs),
		TEST(other_feature_maps_are_refused),
		TEST(texts_fill_their_buffers_and_no_more),
		TEST(texts_fault_on_what_cannot_be_written),
		TEST(page_size_takes_no_argument),
		TEST(console_write_arrives_whole),
		TEST(console_write_of_more_than_a_page_is_refused),
		TEST(console_write_faults_where_the_memory_ends),
		TEST(console_read_has_nothing),
		TEST(runstate_update_flag_reaches_kvm),
		TEST(other_assists_are_refused),
		TEST(a_kvm_without_the_flag_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
