/* SPDX-License-Identifier: MIT */
/* Our layouts and numbers are those of Xen's public headers (libxen-dev) and of errno.h. */
#include "fixture.h"

#include <errno.h>

#include <upcall/abi.h>
#include <xen/errno.h>
#include <xen/xen.h>

#include <xen/event_channel.h>

static void event_word_bits_equal_xens(void **state)
{
	(void)state;
	assert_int_equal(UC_FIFO_PENDING_BIT, EVTCHN_FIFO_PENDING);
	assert_int_equal(UC_FIFO_MASKED_BIT, EVTCHN_FIFO_MASKED);
	assert_int_equal(UC_FIFO_LINKED_BIT, EVTCHN_FIFO_LINKED);
	assert_int_equal(UC_FIFO_BUSY_BIT, EVTCHN_FIFO_BUSY);
	assert_int_equal(UC_FIFO_LINK_BITS, EVTCHN_FIFO_LINK_BITS);
	assert_int_equal(UC_FIFO_LINK_MASK, EVTCHN_FIFO_LINK_MASK);
	assert_int_equal(UC_FIFO_PORTS, EVTCHN_FIFO_NR_CHANNELS);
	assert_int_equal(sizeof(uc_g32), sizeof(event_word_t));
}

static void priorities_equal_xens(void **state)
{
	(void)state;
	assert_int_equal(UC_FIFO_PRIORITY_MAX, EVTCHN_FIFO_PRIORITY_MAX);
	assert_int_equal(UC_FIFO_PRIORITY_DEFAULT, EVTCHN_FIFO_PRIORITY_DEFAULT);
	assert_int_equal(UC_FIFO_PRIORITY_MIN, EVTCHN_FIFO_PRIORITY_MIN);
	assert_int_equal(UC_FIFO_QUEUES, EVTCHN_FIFO_MAX_QUEUES);
}

static void numbers_equal_xens(void **state)
{
	(void)state;
	assert_int_equal(UC_2L_PORTS, EVTCHN_2L_NR_CHANNELS);
	assert_int_equal(UC_VIRQS, NR_VIRQS);
	assert_int_equal(UC_DOMID_SELF, DOMID_SELF);
	assert_int_equal(UC_LEGACY_VCPUS, XEN_LEGACY_MAX_VCPUS);
}

static void control_block_layout_equals_xens(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct uc_fifo_control_block),
			 sizeof(struct evtchn_fifo_control_block));
	assert_int_equal(offsetof(struct uc_fifo_control_block, ready),
			 offsetof(struct evtchn_fifo_control_block, ready));
	assert_int_equal(offsetof(struct uc_fifo_control_block, head),
			 offsetof(struct evtchn_fifo_control_block, head));
}

static void vcpu_info_layout_equals_xens(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct uc_vcpu_info), sizeof(struct vcpu_info));
	assert_int_equal(offsetof(struct uc_vcpu_info, upcall_pending),
			 offsetof(struct vcpu_info, evtchn_upcall_pending));
	assert_int_equal(offsetof(struct uc_vcpu_info, upcall_mask),
			 offsetof(struct vcpu_info, evtchn_upcall_mask));
	assert_int_equal(offsetof(struct uc_vcpu_info, pending_sel),
			 offsetof(struct vcpu_info, evtchn_pending_sel));
	assert_int_equal(offsetof(struct uc_vcpu_info, arch), offsetof(struct vcpu_info, arch));
	assert_int_equal(offsetof(struct uc_vcpu_info, time), offsetof(struct vcpu_info, time));
}

static void shared_info_layout_equals_xens(void **state)
{
	(void)state;
	assert_int_equal(offsetof(struct uc_shared_info, vcpu_info),
			 offsetof(struct shared_info, vcpu_info));
	assert_int_equal(offsetof(struct uc_shared_info, pending),
			 offsetof(struct shared_info, evtchn_pending));
	assert_int_equal(offsetof(struct uc_shared_info, mask),
			 offsetof(struct shared_info, evtchn_mask));
	assert_int_equal(offsetof(struct uc_shared_info, wc_version),
			 offsetof(struct shared_info, wc_version));
	assert_int_equal(offsetof(struct uc_shared_info, wc_sec),
			 offsetof(struct shared_info, wc_sec));
	assert_int_equal(offsetof(struct uc_shared_info, wc_nsec),
			 offsetof(struct shared_info, wc_nsec));
	assert_int_equal(offsetof(struct uc_shared_info, wc_sec_hi),
			 offsetof(struct shared_info, wc_sec_hi));
}

static void errors_equal_the_hosts(void **state)
{
	(void)state;
	assert_int_equal(XEN_EPERM, EPERM);
	assert_int_equal(XEN_ENOENT, ENOENT);
	assert_int_equal(XEN_ESRCH, ESRCH);
	assert_int_equal(XEN_ENXIO, ENXIO);
	assert_int_equal(XEN_EACCES, EACCES);
	assert_int_equal(XEN_EBUSY, EBUSY);
	assert_int_equal(XEN_EEXIST, EEXIST);
	assert_int_equal(XEN_EINVAL, EINVAL);
	assert_int_equal(XEN_ENOSPC, ENOSPC);
	assert_int_equal(XEN_ENOSYS, ENOSYS);
	assert_int_equal(XEN_ENOTCONN, ENOTCONN);
	assert_int_equal(XEN_EOPNOTSUPP, EOPNOTSUPP);
	assert_int_equal(XEN_EAGAIN, EAGAIN);
}

static void private_state_of_a_port_is_one_cache_line(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct uc_port), 64);
	assert_int_equal(sizeof(struct uc_queue), 64);
	assert_int_equal(sizeof(struct uc_route), 8);
	assert_int_equal(sizeof(struct uc_peer), 8);
}

static void argument_sizes_are_xens(void **state)
{
	static const struct {
		uint32_t cmd, size;
		bool out;
	} want[] = {
		{EVTCHNOP_alloc_unbound, sizeof(struct evtchn_alloc_unbound), true},
		{EVTCHNOP_bind_interdomain, sizeof(struct evtchn_bind_interdomain), true},
		{EVTCHNOP_bind_virq, sizeof(struct evtchn_bind_virq), true},
		{EVTCHNOP_bind_ipi, sizeof(struct evtchn_bind_ipi), true},
		{EVTCHNOP_close, sizeof(struct evtchn_close), false},
		{EVTCHNOP_send, sizeof(struct evtchn_send), false},
		{EVTCHNOP_status, sizeof(struct evtchn_status), true},
		{EVTCHNOP_bind_vcpu, sizeof(struct evtchn_bind_vcpu), false},
		{EVTCHNOP_unmask, sizeof(struct evtchn_unmask), false},
		{EVTCHNOP_init_control, sizeof(struct evtchn_init_control), true},
		{EVTCHNOP_expand_array, sizeof(struct evtchn_expand_array), false},
		{EVTCHNOP_set_priority, sizeof(struct evtchn_set_priority), false},
		{EVTCHNOP_bind_pirq, sizeof(struct evtchn_bind_pirq), true},
		{EVTCHNOP_reset, sizeof(struct evtchn_reset), false},
		{UC_EVTCHNOP_RESET_CONT, sizeof(struct evtchn_reset), false},
		{UC_EVTCHNOP_SET_AFFINITY, sizeof(struct uc_evtchn_set_affinity), false},
		{UC_EVTCHNOP_INIT_CONTROLS, sizeof(struct uc_evtchn_init_controls), true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		bool out = !want[i].out;

		assert_int_equal(uc_evtchn_arg_size(want[i].cmd, &out), want[i].size);
		assert_int_equal(out, want[i].out);
	}
}

static void unknown_operations_have_no_argument(void **state)
{
	bool out;

	(void)state;
	assert_int_equal(uc_evtchn_arg_size(15, &out), -XEN_ENOSYS);
	assert_int_equal(uc_evtchn_arg_size(UC_EVTCHNOP_FIRST_OWN - 1, &out), -XEN_ENOSYS);
	assert_int_equal(uc_evtchn_arg_size(UC_EVTCHNOP_INIT_CONTROLS + 1, &out), -XEN_ENOSYS);
	assert_int_equal(uc_evtchn_arg_size(UINT32_MAX, &out), -XEN_ENOSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(event_word_bits_equal_xens),
		cmocka_unit_test(priorities_equal_xens),
		cmocka_unit_test(numbers_equal_xens),
		cmocka_unit_test(control_block_layout_equals_xens),
		cmocka_unit_test(vcpu_info_layout_equals_xens),
		cmocka_unit_test(shared_info_layout_equals_xens),
		cmocka_unit_test(errors_equal_the_hosts),
		cmocka_unit_test(private_state_of_a_port_is_one_cache_line),
		cmocka_unit_test(argument_sizes_are_xens),
		cmocka_unit_test(unknown_operations_have_no_argument),
	};

	return cmocka_run_group_tests_name("abi", tests, NULL, NULL);
}
