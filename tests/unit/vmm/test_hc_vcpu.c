/* SPDX-License-Identifier: MIT */
/* __HYPERVISOR_vcpu_op and __HYPERVISOR_set_timer_op: hc_vcpu.c, timer.c. */
#include "fake_kvm.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/timerfd.h>

#include <xen/xen.h>

#include <xen/event_channel.h>
#include <xen/vcpu.h>

#include "vmm/xen/timer.h"

#define VCPU(m, ...) CALL(m, __HYPERVISOR_vcpu_op, __VA_ARGS__)
#define NOW_NS	     5000000000ull
#define UPPER	     (0xdeadull << 32)
#define INFO_ATTR    KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO

static int64_t register_info(struct machine *m, uint64_t id, uint64_t gfn, uint32_t offset)
{
	struct vcpu_register_vcpu_info arg = {.mfn = gfn, .offset = offset};

	memcpy(ram(m, ARG), &arg, sizeof(arg));
	return VCPU(m, VCPUOP_register_vcpu_info, id, ARG);
}

/* ---- which vCPU ---- */

static void vcpus_that_are_not_there_are_enoent(void **state)
{
	struct machine *m = *state;
	const uint64_t ids[] = {VCPUS, 127, 0x7fffffff, UINT32_MAX, UPPER | VCPUS};

	for (uint32_t op = 0; op < 20; op++)
		for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
			assert_int_equal(VCPU(m, op, ids[i], ARG), -ENOENT);
}

static void numbers_are_taken_as_32_bits(void **state)
{
	assert_int_equal(VCPU(*state, UPPER | VCPUOP_stop_periodic_timer, UPPER | 3), 0);
}

static void unknown_vcpu_ops_are_enosys(void **state)
{
	struct machine *m = *state;
	const uint64_t ops[] = {VCPUOP_initialise,
				VCPUOP_up,
				VCPUOP_down,
				VCPUOP_is_up,
				VCPUOP_get_runstate_info,
				VCPUOP_set_periodic_timer,
				VCPUOP_send_nmi,
				VCPUOP_get_physid,
				14,
				UINT32_MAX};

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		assert_int_equal(VCPU(m, ops[i], 0, ARG), -ENOSYS);
}

/* ---- vcpu_info ---- */

static void a_registered_info_is_known_to_library_and_kvm(void **state)
{
	struct machine *m = *state;

	for (uint32_t i = 0; i < VCPUS; i++) {
		assert_int_equal(register_info(m, i, FREE_GFN + i, 64 * i), 0);
		assert_ptr_equal(m->vm.evtchn_vcpus[i].info,
				 ram(m, ((FREE_GFN + i) << 12) + 64 * i));
		assert_int_equal(m->vcpu_attr[i][INFO_ATTR], ((FREE_GFN + i) << 12) + 64 * i);
	}
}

static void a_registered_info_starts_pending(void **state)
{
	struct machine *m = *state;
	struct uc_vcpu_info *info = ram(m, FREE_GFN << 12);

	m->vm.vcpus[1].upcall_vector = 0xf3;
	assert_int_equal(register_info(m, 1, FREE_GFN, 0), 0);
	assert_int_equal(__atomic_load_n(&info->upcall_pending.raw, __ATOMIC_SEQ_CST), 1);
	assert_int_equal(__atomic_load_n(&info->pending_sel.raw, __ATOMIC_SEQ_CST), UINT64_MAX);
	assert_int_equal(m->signals[1], 1);
	assert_int_equal(m->last_vector, 0xf3);
}

static void an_info_is_registered_once(void **state)
{
	struct machine *m = *state;

	assert_int_equal(register_info(m, 1, FREE_GFN, 0), 0);
	assert_int_equal(register_info(m, 1, FREE_GFN, 0), -EBUSY);
	assert_int_equal(register_info(m, 1, FREE_GFN + 1, 0), -EBUSY);
	assert_int_equal(m->vcpu_attrs[1][INFO_ATTR], 1);
	assert_ptr_equal(m->vm.evtchn_vcpus[1].info, ram(m, FREE_GFN << 12));
}

static void an_info_across_a_page_or_misaligned_is_refused(void **state)
{
	struct machine *m = *state;
	const uint32_t offsets[] = {
		UC_PAGE_SIZE - 63, UC_PAGE_SIZE - 56, UC_PAGE_SIZE - 8, 1,	   4, 63,
		UC_PAGE_SIZE,	   UC_PAGE_SIZE + 64, UINT32_MAX - 63,	UINT32_MAX};

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		assert_int_equal(register_info(m, 0, FREE_GFN, offsets[i]), -ENXIO);
	assert_int_equal(m->vcpu_attrs[0][INFO_ATTR], 0);
	assert_int_equal(register_info(m, 0, FREE_GFN, UC_PAGE_SIZE - 64), 0);
}

static void an_info_outside_ram_is_refused(void **state)
{
	struct machine *m = *state;
	const uint64_t gfns[] = {
		RAM_FRAMES, UC_MEM_HOLE_START >> 12, UC_MEM_4G >> 12, 1ull << 40, (1ull << 52) - 1,
		1ull << 52, UINT64_MAX - 1,	     UINT64_MAX};

	for (size_t i = 0; i < sizeof(gfns) / sizeof(gfns[0]); i++)
		assert_int_equal(register_info(m, 0, gfns[i], 0), -EINVAL);
	assert_int_equal(m->vcpu_attrs[0][INFO_ATTR], 0);
	assert_int_equal(register_info(m, 0, RAM_FRAMES - 1, 0), 0);
}

/* ---- areas by virtual address ---- */

static const struct {
	uint32_t op;
	uint16_t attr;
} areas[] = {
	{VCPUOP_register_runstate_memory_area, KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR},
	{VCPUOP_register_vcpu_time_memory_area, KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO},
};

static int64_t register_area(struct machine *m, uint32_t op, uint32_t id, uint64_t gva)
{
	memcpy(ram(m, ARG), &gva, sizeof(gva));
	return VCPU(m, op, id, ARG);
}

static void areas_reach_kvm_as_physical_addresses(void **state)
{
	struct machine *m = *state;

	m->alias_page = 0xffff888001234000;
	m->alias_gpa = FREE_GFN << 12;
	for (size_t i = 0; i < 2; i++)
		for (uint32_t id = 0; id < VCPUS; id++) {
			assert_int_equal(register_area(m, areas[i].op, id, m->alias_page + 64 * id),
					 0);
			assert_int_equal(m->vcpu_attr[id][areas[i].attr],
					 (FREE_GFN << 12) + 64 * id);
		}
}

static void areas_that_are_not_writable_ram_fault(void **state)
{
	struct machine *m = *state;
	const uint64_t gvas[] = {FREE_GFN << 12, (FREE_GFN + 1) << 12, RAM_BYTES, 1ull << 47,
				 0xffff7fffffffffffull};

	m->unmapped_page = gvas[0];
	m->readonly_page = gvas[1];
	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; j < sizeof(gvas) / sizeof(gvas[0]); j++)
			assert_int_equal(register_area(m, areas[i].op, 0, gvas[j]), -EFAULT);
		assert_int_equal(m->vcpu_attrs[0][areas[i].attr], 0);
	}
}

static void what_kvm_refuses_is_passed_on(void **state)
{
	struct machine *m = *state;

	m->vcpu_attr_errno = EINVAL;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(register_area(m, areas[i].op, 1, FREE_GFN << 12), -EINVAL);
}

static void vcpu_arguments_that_are_not_ram_fault(void **state)
{
	struct machine *m = *state;
	const uint32_t ops[] = {VCPUOP_register_vcpu_info, VCPUOP_register_runstate_memory_area,
				VCPUOP_register_vcpu_time_memory_area, VCPUOP_set_singleshot_timer};
	const uint64_t gvas[] = {RAM_BYTES, RAM_BYTES - 1, 1ull << 47, UINT64_MAX};

	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < 4; j++)
			assert_int_equal(VCPU(m, ops[i], 0, gvas[j]), -EFAULT);
}

/* ---- timers ---- */

static int64_t set_timer(struct machine *m, uint32_t vcpu, uint64_t timeout_ns, uint32_t flags)
{
	struct vcpu_set_singleshot_timer arg = {.timeout_abs_ns = timeout_ns, .flags = flags};

	m->clock_ns = NOW_NS;
	memcpy(ram(m, ARG), &arg, sizeof(arg));
	return CALL_ON(m, vcpu, __HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, vcpu, ARG);
}

static uint32_t bind_timer(struct machine *m, uint32_t vcpu)
{
	uint32_t port;

	/* Without its words the guest could not be told. */
	assert_int_equal(uc_domain_set_shared_info(&m->vm.domain, FREE_GFN), 0);
	assert_int_equal(uc_bind_virq(&m->vm.domain, VIRQ_TIMER, vcpu, &port), 0);
	return port;
}

static uint64_t fired(struct machine *m, uint32_t port)
{
	struct uc_port_info info;

	assert_int_equal(uc_port_info(&m->vm.domain, port, &info), 0);
	return info.events;
}

static uint64_t armed_ns(struct machine *m, uint32_t vcpu)
{
	struct itimerspec spec;

	assert_int_equal(timerfd_gettime(m->vm.vcpus[vcpu].timer_fd, &spec), 0);
	return (uint64_t)spec.it_value.tv_sec * 1000000000 + (uint64_t)spec.it_value.tv_nsec;
}

static void a_timer_in_the_future_is_armed(void **state)
{
	struct machine *m = *state;
	uint32_t port = bind_timer(m, 2);

	assert_int_equal(set_timer(m, 2, NOW_NS + 3600000000000, 0), 0);
	assert_int_equal(fired(m, port), 0);
	assert_in_range(armed_ns(m, 2), 3500000000000, 3600000000000);
	assert_int_equal(armed_ns(m, 0), 0);
}

static void a_timer_in_the_past_fires_at_once(void **state)
{
	struct machine *m = *state;
	uint32_t port = bind_timer(m, 1);
	const uint64_t past[] = {0, 1, NOW_NS - 1, NOW_NS};

	assert_int_equal(set_timer(m, 1, NOW_NS + 3600000000000, 0), 0);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(set_timer(m, 1, past[i], 0), 0);
		assert_int_equal(armed_ns(m, 1), 0);
	}
	assert_int_equal(fired(m, port), 1); /* four raises, one event: nobody took it */
}

static void must_be_future_refuses_the_past(void **state)
{
	struct machine *m = *state;
	uint32_t port = bind_timer(m, 0);

	assert_int_equal(set_timer(m, 0, NOW_NS - 1, VCPU_SSHOTTMR_future), -ETIME);
	assert_int_equal(set_timer(m, 0, 0, VCPU_SSHOTTMR_future), -ETIME);
	assert_int_equal(fired(m, port), 0);
	assert_int_equal(set_timer(m, 0, NOW_NS + 3600000000000, VCPU_SSHOTTMR_future), 0);
	assert_true(armed_ns(m, 0) > 0);
	assert_int_equal(set_timer(m, 0, NOW_NS, VCPU_SSHOTTMR_future), 0);
	assert_int_equal(fired(m, port), 1);
}

static void huge_timeouts_are_armed_far_away(void **state)
{
	struct machine *m = *state;
	uint32_t port = bind_timer(m, 0);
	const uint64_t huge[] = {NOW_NS + (1ull << 60), 1ull << 63, UINT64_MAX - 1, UINT64_MAX};

	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(set_timer(m, 0, huge[i], 0), 0);
		assert_true(armed_ns(m, 0) > 1ull << 59);
	}
	assert_int_equal(fired(m, port), 0);
}

static void only_its_own_vcpu_sets_a_timer(void **state)
{
	struct machine *m = *state;

	assert_int_equal(VCPU(m, VCPUOP_set_singleshot_timer, 1, RAM_BYTES), -EINVAL);
	assert_int_equal(VCPU(m, VCPUOP_stop_singleshot_timer, 1), -EINVAL);
}

static void a_stopped_timer_does_not_fire(void **state)
{
	struct machine *m = *state;

	assert_int_equal(set_timer(m, 0, NOW_NS + 3600000000000, 0), 0);
	assert_int_equal(VCPU(m, VCPUOP_stop_singleshot_timer, 0), 0);
	assert_int_equal(armed_ns(m, 0), 0);
	assert_int_equal(CALL(m, __HYPERVISOR_set_timer_op, NOW_NS + 3600000000000), 0);
	assert_true(armed_ns(m, 0) > 0);
	assert_int_equal(CALL(m, __HYPERVISOR_set_timer_op, 0), 0);
	assert_int_equal(armed_ns(m, 0), 0);
}

static void an_expired_timer_raises_its_vcpus_virq(void **state)
{
	struct machine *m = *state;
	uint32_t other = bind_timer(m, 0), port = bind_timer(m, 3);
	struct pollfd fd = {.fd = m->vm.vcpus[3].timer_fd, .events = POLLIN};

	assert_int_equal(set_timer(m, 3, NOW_NS + 1, 0), 0);
	assert_int_equal(poll(&fd, 1, 10000), 1);
	uc_timer_fire(&m->vm.vcpus[3]);
	assert_int_equal(fired(m, port), 1);
	assert_int_equal(fired(m, other), 0);
	assert_int_equal(poll(&fd, 1, 0), 0);
}

static void a_timer_re_armed_before_it_was_read_is_silent(void **state)
{
	struct machine *m = *state;
	uint32_t port = bind_timer(m, 0);
	struct pollfd fd = {.fd = m->vm.vcpus[0].timer_fd, .events = POLLIN};

	assert_int_equal(set_timer(m, 0, NOW_NS + 1, 0), 0);
	assert_int_equal(poll(&fd, 1, 10000), 1);
	assert_int_equal(set_timer(m, 0, NOW_NS + 3600000000000, 0), 0);
	uc_timer_fire(&m->vm.vcpus[0]);
	assert_int_equal(fired(m, port), 0);
}

static void a_clock_that_fails_is_reported(void **state)
{
	struct machine *m = *state;

	m->clock_errno = EINVAL;
	assert_int_equal(set_timer(m, 0, NOW_NS + 1, 0), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(vcpus_that_are_not_there_are_enoent),
		SERVED(numbers_are_taken_as_32_bits),
		SERVED(unknown_vcpu_ops_are_enosys),
		SERVED(a_registered_info_is_known_to_library_and_kvm),
		SERVED(a_registered_info_starts_pending),
		SERVED(an_info_is_registered_once),
		SERVED(an_info_across_a_page_or_misaligned_is_refused),
		SERVED(an_info_outside_ram_is_refused),
		SERVED(areas_reach_kvm_as_physical_addresses),
		SERVED(areas_that_are_not_writable_ram_fault),
		SERVED(what_kvm_refuses_is_passed_on),
		SERVED(vcpu_arguments_that_are_not_ram_fault),
		SERVED(a_timer_in_the_future_is_armed),
		SERVED(a_timer_in_the_past_fires_at_once),
		SERVED(must_be_future_refuses_the_past),
		SERVED(huge_timeouts_are_armed_far_away),
		SERVED(only_its_own_vcpu_sets_a_timer),
		SERVED(a_stopped_timer_does_not_fire),
		SERVED(an_expired_timer_raises_its_vcpus_virq),
		SERVED(a_timer_re_armed_before_it_was_read_is_silent),
		SERVED(a_clock_that_fails_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
