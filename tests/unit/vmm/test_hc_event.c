/* SPDX-License-Identifier: MIT */
/* __HYPERVISOR_event_channel_op as the guest calls it: uc_hc_event_channel() in hypercall.c. */
#include "fake_kvm.h"

#include <errno.h>
#include <string.h>

#include <xen/xen.h>

#include <xen/event_channel.h>

#define EVENT(m, ...) CALL(m, __HYPERVISOR_event_channel_op, __VA_ARGS__)
#define OP(m, op, ...)                                                                             \
	op_(m, EVTCHNOP_##op, &(struct evtchn_##op){__VA_ARGS__}, sizeof(struct evtchn_##op))
#define RESULT(m, op) ((struct evtchn_##op *)ram(m, ARG))
#define UPPER	      (0xdeadull << 32)
#define NR_OPS	      (UC_EVTCHNOP_RESET_CONT + 1)

/* The argument stays at ARG: RESULT() shows what the guest got. */
static int64_t op_(struct machine *m, uint32_t cmd, const void *arg, size_t bytes)
{
	memcpy(ram(m, ARG), arg, bytes);
	return EVENT(m, cmd, ARG);
}

static void start_fifo(struct machine *m)
{
	assert_int_equal(OP(m, init_control, .control_gfn = FREE_GFN, .vcpu = 0), 0);
	assert_int_equal(OP(m, expand_array, .array_gfn = FREE_GFN + 1), 0);
}

/* ---- good arguments: the answers arrive in the guest's memory ---- */

static void bind_ipi_writes_the_port(void **state)
{
	struct machine *m = *state;

	assert_int_equal(OP(m, bind_ipi, .vcpu = 3), 0);
	assert_int_equal(RESULT(m, bind_ipi)->port, 1);
	assert_int_equal(RESULT(m, bind_ipi)->vcpu, 3);
}

static void alloc_unbound_then_status_then_close(void **state)
{
	struct machine *m = *state;

	assert_int_equal(OP(m, alloc_unbound, .dom = DOMID_SELF, .remote_dom = 0), 0);
	assert_int_equal(RESULT(m, alloc_unbound)->port, 1);
	assert_int_equal(OP(m, status, .dom = DOMID_SELF, .port = 1), 0);
	assert_int_equal(RESULT(m, status)->status, EVTCHNSTAT_unbound);
	assert_int_equal(RESULT(m, status)->u.unbound.dom, 0);
	assert_int_equal(OP(m, close, .port = 1), 0);
	assert_int_equal(OP(m, status, .dom = DOMID_SELF, .port = 1), 0);
	assert_int_equal(RESULT(m, status)->status, EVTCHNSTAT_closed);
}

static void a_loopback_pair_is_bound_and_sent(void **state)
{
	struct machine *m = *state;
	struct uc_port_info info;

	start_fifo(m);
	assert_int_equal(OP(m, alloc_unbound, .dom = UC_VM_DOMID, .remote_dom = DOMID_SELF), 0);
	assert_int_equal(OP(m, bind_interdomain, .remote_dom = DOMID_SELF, .remote_port = 1), 0);
	assert_int_equal(RESULT(m, bind_interdomain)->local_port, 2);
	assert_int_equal(OP(m, send, .port = 2), 0);
	assert_int_equal(uc_port_info(&m->vm.domain, 1, &info), 0);
	assert_true(info.pending);
}

static void bind_virq_of_the_timer(void **state)
{
	struct machine *m = *state;

	assert_int_equal(OP(m, bind_virq, .virq = VIRQ_TIMER, .vcpu = 2), 0);
	assert_int_equal(RESULT(m, bind_virq)->port, 1);
	assert_int_equal(OP(m, bind_virq, .virq = VIRQ_TIMER, .vcpu = 2), -EEXIST);
}

static void init_control_tells_the_link_bits(void **state)
{
	struct machine *m = *state;

	assert_int_equal(OP(m, init_control, .control_gfn = FREE_GFN, .vcpu = 1, .offset = 8), 0);
	assert_int_equal(RESULT(m, init_control)->link_bits, EVTCHN_FIFO_LINK_BITS);
	assert_true(uc_domain_is_fifo(&m->vm.domain));
}

static void a_port_moves_gets_priority_and_is_unmasked(void **state)
{
	struct machine *m = *state;
	struct uc_port_info info;

	start_fifo(m);
	assert_int_equal(OP(m, init_control, .control_gfn = FREE_GFN + 2, .vcpu = 1), 0);
	assert_int_equal(OP(m, alloc_unbound, .dom = DOMID_SELF, .remote_dom = 0), 0);
	assert_int_equal(OP(m, bind_vcpu, .port = 1, .vcpu = 1), 0);
	assert_int_equal(OP(m, set_priority, .port = 1, .priority = 3), 0);
	assert_int_equal(OP(m, unmask, .port = 1), 0);
	assert_int_equal(uc_port_info(&m->vm.domain, 1, &info), 0);
	assert_int_equal(info.vcpu, 1);
	assert_int_equal(info.priority, 3);
	assert_false(info.masked);
}

/* ---- hostile arguments ---- */

static void commands_are_taken_as_32_bits(void **state)
{
	struct machine *m = *state;

	memset(ram(m, ARG), 0, 64);
	assert_int_equal(EVENT(m, UPPER | EVTCHNOP_bind_ipi, ARG), 0);
	assert_int_equal(EVENT(m, NR_OPS, ARG), -ENOSYS);
	assert_int_equal(EVENT(m, EVTCHNOP_bind_pirq, ARG), -EINVAL); /* it has none */
	assert_int_equal(EVENT(m, UINT32_MAX, ARG), -ENOSYS);
}

static void every_argument_that_cannot_be_read_faults(void **state)
{
	struct machine *m = *state;
	const uint64_t gvas[] = {RAM_BYTES, RAM_BYTES - 1, 1ull << 47, UINT64_MAX,
				 UC_MEM_HOLE_START};
	bool out;

	for (uint32_t cmd = 0; cmd < NR_OPS; cmd++)
		for (size_t i = 0; i < 5; i++)
			if (uc_evtchn_arg_size(cmd, &out) > 0)
				assert_int_equal(EVENT(m, cmd, gvas[i]), -EFAULT);
	assert_int_equal(uc_ports_valid(&m->vm.domain), 1);
}

/* As in Xen the operation is done by then: "cleaning up here would be a mess". */
static void results_that_cannot_be_written_fault_after_the_fact(void **state)
{
	struct machine *m = *state;

	memset(ram(m, ARG), 0, 64);
	m->readonly_page = ARG;
	assert_int_equal(EVENT(m, EVTCHNOP_bind_ipi, ARG), -EFAULT);
	assert_int_equal(uc_ports_valid(&m->vm.domain), 2);
	assert_int_equal(RESULT(m, bind_ipi)->port, 0);
	/* One without a result needs no writable argument. */
	RESULT(m, unmask)->port = 1;
	assert_int_equal(EVENT(m, EVTCHNOP_unmask, ARG), 0);
}

static void a_failed_operation_writes_nothing(void **state)
{
	struct machine *m = *state;

	assert_int_equal(OP(m, bind_ipi, .vcpu = VCPUS, .port = 99), -ENOENT);
	assert_int_equal(RESULT(m, bind_ipi)->port, 99);
}

static void absent_vcpus_are_enoent(void **state)
{
	struct machine *m = *state;
	const uint32_t ids[] = {VCPUS, 0x7fffffff, 0x80000000, UINT32_MAX};

	assert_int_equal(OP(m, alloc_unbound, .dom = DOMID_SELF, .remote_dom = 0), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(OP(m, bind_ipi, .vcpu = ids[i]), -ENOENT);
		assert_int_equal(OP(m, bind_virq, .virq = VIRQ_TIMER, .vcpu = ids[i]), -ENOENT);
		assert_int_equal(OP(m, bind_vcpu, .port = 1, .vcpu = ids[i]), -ENOENT);
		assert_int_equal(OP(m, init_control, .control_gfn = FREE_GFN, .vcpu = ids[i]),
				 -ENOENT);
	}
}

static void control_blocks_at_bad_offsets_are_refused(void **state)
{
	struct machine *m = *state;
	const uint32_t last = UC_PAGE_SIZE - sizeof(struct evtchn_fifo_control_block);
	const uint32_t offsets[] = {
		1, 4, 7, last + 1, last + 4, last + 8, UC_PAGE_SIZE, UINT32_MAX - 7, UINT32_MAX};

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		assert_int_equal(OP(m, init_control, .control_gfn = FREE_GFN, .offset = offsets[i]),
				 -EINVAL);
	assert_false(uc_domain_is_fifo(&m->vm.domain));
	assert_int_equal(OP(m, init_control, .control_gfn = FREE_GFN, .offset = last & ~7u), 0);
}

static void frames_outside_ram_are_refused(void **state)
{
	struct machine *m = *state;
	const uint64_t gfns[] = {RAM_FRAMES, UC_MEM_HOLE_START >> 12, UC_MEM_4G >> 12,
				 1ull << 40, (1ull << 52) - 1,	      1ull << 52,
				 1ull << 63, UINT64_MAX - 1,	      UINT64_MAX};

	for (size_t i = 0; i < sizeof(gfns) / sizeof(gfns[0]); i++)
		assert_int_equal(OP(m, init_control, .control_gfn = gfns[i]), -EINVAL);
	assert_int_equal(OP(m, expand_array, .array_gfn = FREE_GFN), -EOPNOTSUPP);
	start_fifo(m);
	for (size_t i = 0; i < sizeof(gfns) / sizeof(gfns[0]); i++)
		assert_int_equal(OP(m, expand_array, .array_gfn = gfns[i]), -EINVAL);
	assert_int_equal(OP(m, init_control, .control_gfn = FREE_GFN), -EINVAL); /* again */
}

static void the_array_ends_at_its_last_page(void **state)
{
	struct machine *m = *state;

	start_fifo(m);
	for (uint32_t i = 1; i < UC_FIFO_PAGES; i++)
		assert_int_equal(OP(m, expand_array, .array_gfn = FREE_GFN + 1 + i), 0);
	assert_int_equal(OP(m, expand_array, .array_gfn = FREE_GFN + 500), -ENOSPC);
}

static void channels_of_other_domains_are_out_of_reach(void **state)
{
	static const struct {
		uint16_t domid;
		int rc;
	} cases[] = {{0, -EPERM},
		     {5, -ESRCH},
		     {DOMID_IO, -ESRCH},
		     {DOMID_XEN, -ESRCH},
		     {0xffff, -ESRCH}};
	struct machine *m = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(OP(m, alloc_unbound, .dom = cases[i].domid, .remote_dom = 0),
				 cases[i].rc);
		assert_int_equal(OP(m, status, .dom = cases[i].domid, .port = 1), cases[i].rc);
	}
}

static void ports_that_are_not_there_are_einval(void **state)
{
	struct machine *m = *state;
	const uint32_t ports[] = {1, 4096, UC_FIFO_PORTS - 1, UC_FIFO_PORTS, UINT32_MAX};

	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		assert_int_equal(OP(m, close, .port = ports[i]), -EINVAL);
		assert_int_equal(OP(m, send, .port = ports[i]), -EINVAL);
		assert_int_equal(OP(m, unmask, .port = ports[i]), -EINVAL);
		assert_int_equal(OP(m, bind_vcpu, .port = ports[i]), -EINVAL);
	}
	/* Port 0 is there, but reserved: Xen lets it be unmasked, which does nothing. */
	assert_int_equal(OP(m, close, .port = 0), -EINVAL);
	assert_int_equal(OP(m, send, .port = 0), -EINVAL);
	assert_int_equal(OP(m, bind_vcpu, .port = 0), -EINVAL);
	assert_int_equal(OP(m, unmask, .port = 0), 0);
}

/* More pieces than one: the guest sees one hypercall. */
static void a_reset_is_one_hypercall(void **state)
{
	struct machine *m = *state;
	struct uc_port_info info;

	for (uint32_t i = 0; i < 300; i++)
		assert_int_equal(OP(m, bind_ipi, .vcpu = i % VCPUS), 0);
	assert_int_equal(OP(m, reset, .dom = DOMID_SELF), 0);
	for (uint32_t port = 1; port <= 300; port++) {
		assert_int_equal(uc_port_info(&m->vm.domain, port, &info), 0);
		assert_int_equal(info.kind, UC_PORT_FREE);
	}
	assert_int_equal(OP(m, reset, .dom = 7), -ESRCH);
}

static void control_blocks_come_all_at_once(void **state)
{
	struct uc_evtchn_init_controls arg = {.list_gfn = FREE_GFN, .nr_vcpus = VCPUS};
	struct uc_control_place *list = ram(*state, FREE_GFN * UC_PAGE_SIZE);
	struct machine *m = *state;

	for (uint32_t i = 0; i < VCPUS; i++)
		list[i] = (struct uc_control_place){.gfn = FREE_GFN + 1, .offset = 128 * i};
	memcpy(ram(m, ARG), &arg, sizeof(arg));
	assert_int_equal(EVENT(m, UC_EVTCHNOP_INIT_CONTROLS, ARG), 0);
	assert_true(uc_domain_is_fifo(&m->vm.domain));
	assert_true(m->vm.routing_begun);
	memcpy(&arg, ram(m, ARG), sizeof(arg));
	assert_int_equal(arg.link_bits, UC_FIFO_LINK_BITS);
	assert_int_equal(EVENT(m, UC_EVTCHNOP_INIT_CONTROLS, ARG), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bind_ipi_writes_the_port),
		TEST(alloc_unbound_then_status_then_close),
		TEST(a_loopback_pair_is_bound_and_sent),
		TEST(bind_virq_of_the_timer),
		TEST(init_control_tells_the_link_bits),
		TEST(a_port_moves_gets_priority_and_is_unmasked),
		TEST(commands_are_taken_as_32_bits),
		TEST(every_argument_that_cannot_be_read_faults),
		TEST(results_that_cannot_be_written_fault_after_the_fact),
		TEST(a_failed_operation_writes_nothing),
		TEST(absent_vcpus_are_enoent),
		TEST(control_blocks_at_bad_offsets_are_refused),
		TEST(frames_outside_ram_are_refused),
		TEST(the_array_ends_at_its_last_page),
		TEST(channels_of_other_domains_are_out_of_reach),
		TEST(ports_that_are_not_there_are_einval),
		TEST(a_reset_is_one_hypercall),
		TEST(control_blocks_come_all_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
