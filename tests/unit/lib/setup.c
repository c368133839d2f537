/* SPDX-License-Identifier: MIT */
/* How a guest's memory comes to be shared, and how what was raised before is carried over. */
#include "fixture.h"

#include <xen/errno.h>
#include <xen/xen.h>

#include <xen/event_channel.h>

static int init_control(struct machine *m, uint32_t vcpu, uint64_t gfn, uint32_t offset)
{
	struct evtchn_init_control a = {.vcpu = vcpu, .control_gfn = gfn, .offset = offset};
	int rc = OP(m, 0, EVTCHNOP_init_control, &a);

	if (!rc)
		assert_int_equal(a.link_bits, UC_FIFO_LINK_BITS);
	return rc;
}

static int expand_array(struct machine *m, uint64_t gfn)
{
	struct evtchn_expand_array a = {.array_gfn = gfn};

	return OP(m, 0, EVTCHNOP_expand_array, &a);
}

static void init_control_switches_to_fifo(void **state)
{
	struct machine *a = ((struct world *)*state)->a;

	assert_false(uc_domain_is_fifo(&a->d));
	assert_int_equal(init_control(a, 1, FRAME_CONTROL, 128), 0);
	assert_true(uc_domain_is_fifo(&a->d));
	assert_int_equal(init_control(a, 2, FRAME_CONTROL, UC_FRAME_SIZE - 72), 0);
}

static void init_control_refuses_bad_arguments(void **state)
{
	struct machine *a = ((struct world *)*state)->a;

	assert_int_equal(init_control(a, VCPUS, FRAME_CONTROL, 0), -XEN_ENOENT);
	assert_int_equal(init_control(a, UINT32_MAX, FRAME_CONTROL, 0), -XEN_ENOENT);
	assert_int_equal(init_control(a, 0, FRAME_CONTROL, UC_FRAME_SIZE - 64), -XEN_EINVAL);
	assert_int_equal(init_control(a, 0, FRAME_CONTROL, UINT32_MAX - 7), -XEN_EINVAL);
	assert_int_equal(init_control(a, 0, FRAME_CONTROL, 4), -XEN_EINVAL);
	assert_int_equal(init_control(a, 0, FRAME_NONE, 0), -XEN_EINVAL);
	assert_int_equal(init_control(a, 0, UINT64_MAX, 0), -XEN_EINVAL);
	assert_false(uc_domain_is_fifo(&a->d));
}

static void init_control_works_once_per_vcpu(void **state)
{
	struct machine *a = ((struct world *)*state)->a;

	assert_int_equal(init_control(a, 0, FRAME_CONTROL, 0), 0);
	assert_int_equal(init_control(a, 0, FRAME_CONTROL, 0), -XEN_EINVAL);
	assert_int_equal(init_control(a, 0, FRAME_CONTROL + 1, 0), -XEN_EINVAL);
	assert_int_equal(a->maps[FRAME_CONTROL] + a->maps[FRAME_CONTROL + 1], 1);
}

static void after_a_failed_init_control_every_operation_is_sane(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port;

	start_2l(a);
	port = open_line(a, &l, 0);
	assert_int_equal(init_control(a, 0, FRAME_NONE, 0), -XEN_EINVAL);
	assert_int_equal(expand_array(a, FRAME_EVENTS), -XEN_EOPNOTSUPP);
	assert_int_equal(uc_set_priority(&a->d, port, 3), -XEN_ENOSYS);
	assert_int_equal(uc_unmask(&a->d, port), 0);
	raise_line(&l);
	run_all(a);
	assert_string_equal(handled(a), "0:1");
	assert_int_equal(uc_close(&a->d, port), 0);
	/* And a good one still works. */
	assert_int_equal(init_control(a, 0, FRAME_CONTROL, 0), 0);
	assert_int_equal(expand_array(a, FRAME_EVENTS), 0);
}

static void expand_array_is_for_fifo_only(void **state)
{
	struct machine *a = ((struct world *)*state)->a;

	assert_int_equal(expand_array(a, FRAME_EVENTS), -XEN_EOPNOTSUPP);
	assert_int_equal(a->maps[FRAME_EVENTS], 0);
}

static void expand_array_takes_128_pages(void **state)
{
	struct machine *a = ((struct world *)*state)->a;

	start_fifo(a, 0);
	assert_int_equal(expand_array(a, FRAME_NONE), -XEN_EINVAL);
	for (uint32_t i = 0; i < UC_FIFO_PAGES; i++)
		assert_int_equal(add_page(a), 0);
	assert_int_equal(expand_array(a, FRAME_EVENTS), -XEN_ENOSPC);
}

static void set_info_works_once_and_marks_everything(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct uc_vcpu_info *info = (struct uc_vcpu_info *)((uint8_t *)frame_of(a, FRAME_INFO) +
							    192);

	start_2l(a);
	assert_int_equal(uc_vcpu_set_info(&a->vcpus[2], FRAME_INFO, 192), 0);
	assert_int_equal(info->pending_sel.raw, ~0ull);
	assert_int_equal(info->upcall_pending.raw, 1);
	assert_int_equal(a->kicks[2], 1);
	assert_true(uc_vcpu_upcall_pending(&a->vcpus[2]));
	assert_int_equal(uc_vcpu_set_info(&a->vcpus[2], FRAME_INFO, 256), -XEN_EBUSY);
	assert_int_equal(a->maps[FRAME_INFO], 1);
}

static void set_info_refuses_bad_places(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct uc_vcpu *v = &a->vcpus[1];

	assert_int_equal(uc_vcpu_set_info(v, FRAME_INFO, UC_FRAME_SIZE - 56), -XEN_ENXIO);
	assert_int_equal(uc_vcpu_set_info(v, FRAME_INFO, UINT32_MAX), -XEN_ENXIO);
	assert_int_equal(uc_vcpu_set_info(v, FRAME_INFO, 4), -XEN_ENXIO);
	assert_int_equal(uc_vcpu_set_info(v, FRAME_NONE, 0), -XEN_EINVAL);
	assert_int_equal(a->kicks[1], 0);
	assert_int_equal(uc_vcpu_set_info(v, FRAME_INFO, UC_FRAME_SIZE - 64), 0);
}

static void set_shared_info_refuses_a_bad_frame_and_moves(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct uc_shared_info *moved = frame_of(a, FRAME_INFO);
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	assert_int_equal(uc_domain_set_shared_info(&a->d, FRAME_NONE), -XEN_EINVAL);
	start_2l(a);
	raise_line(&l);
	assert_int_equal(uc_domain_set_shared_info(&a->d, FRAME_INFO), 0);
	assert_int_equal(a->maps[FRAME_SHARED], 0);
	assert_int_equal(moved->pending[0].raw, 1ull << port);
	assert_int_equal(moved->vcpu_info[0].upcall_pending.raw, 1);
	assert_int_equal(uc_domain_set_shared_info(&a->d, FRAME_NONE), -XEN_EINVAL);
	assert_int_equal(a->maps[FRAME_INFO], 1);
}

static void a_raise_before_shared_info_is_delivered_once_it_is_there(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct uc_port_info info;
	struct line l;
	uint32_t port = open_line(a, &l, 1);

	raise_line(&l);
	raise_line(&l);
	start_2l(a);
	run_all(a);
	assert_string_equal(handled(a), "1:1");
	assert_int_equal(uc_port_info(&a->d, port, &info), 0);
	assert_int_equal(info.events, 1);
	/* The mark is gone. */
	assert_int_equal(uc_domain_set_shared_info(&a->d, FRAME_INFO), 0);
	a->guest.shared_info = frame_of(a, FRAME_INFO);
	a->gv[1].info = &a->guest.shared_info->vcpu_info[1];
	assert_int_equal(run_all(a), 0);
}

static void a_raise_before_its_page_is_delivered_once_it_is_there(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct uc_port_info info;
	struct line l;
	uint32_t port;

	start_fifo(a, 0);
	port = open_line(a, &l, 2);
	raise_line(&l);
	raise_line(&l);
	assert_int_equal(run_all(a), 0);
	assert_int_equal(add_page(a), 0);
	run_all(a);
	assert_string_equal(handled(a), "2:1");
	assert_int_equal(uc_port_info(&a->d, port, &info), 0);
	assert_int_equal(info.events, 1);
	assert_int_equal(add_page(a), 0);
	assert_int_equal(run_all(a), 0);
}

static void a_raise_beyond_the_last_page_touches_no_word(void **state)
{
	static struct line l[UC_FIFO_WORDS_PER_PAGE];
	struct machine *a = ((struct world *)*state)->a;
	const uint32_t *words = frame_of(a, FRAME_EVENTS);
	uint32_t port = 0;

	start_fifo(a, 1);
	for (uint32_t i = 0; i < UC_FIFO_WORDS_PER_PAGE; i++)
		port = open_line(a, &l[i], 0);
	assert_int_equal(port, UC_FIFO_WORDS_PER_PAGE);
	raise_line(&l[port - 1]);
	assert_int_equal(uc_unmask(&a->d, port), 0);
	for (uint32_t i = 0; i < 2 * UC_FIFO_WORDS_PER_PAGE; i++)
		assert_int_equal(words[i], 0);
	assert_int_equal(add_page(a), 0);
	run_all(a);
	assert_string_equal(handled(a), "0:1024");
}

static void a_parked_raise_does_not_reach_the_ports_next_life(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port;

	start_fifo(a, 0);
	port = open_line(a, &l, 0);
	raise_line(&l);
	assert_int_equal(uc_close(&a->d, port), 0);
	assert_int_equal(open_line(a, &l, 0), port);
	assert_int_equal(add_page(a), 0);
	assert_int_equal(run_all(a), 0);
}

static void a_raise_before_the_vcpus_control_block_is_delivered_once_it_is_there(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port;

	start_2l(a);
	start_control(a, 0);
	assert_int_equal(add_page(a), 0);
	port = open_line(a, &l, 3);
	raise_line(&l);
	assert_int_equal(run_all(a), 0);
	assert_int_equal(word(a, port), UC_FIFO_PENDING);
	start_control(a, 3);
	run_all(a);
	assert_string_equal(handled(a), "3:1");
}

/* Priority 0 is the one that a port that was never linked was linked at last. */
static void a_raise_at_priority_0_waits_for_the_control_block_too(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port;

	start_2l(a);
	start_control(a, 1);
	assert_int_equal(add_page(a), 0);
	port = open_line(a, &l, 0);
	assert_int_equal(uc_set_priority(&a->d, port, 0), 0);
	raise_line(&l);
	assert_int_equal(word(a, port), UC_FIFO_PENDING);
	start_control(a, 0);
	run_all(a);
	assert_string_equal(handled(a), "0:1");
}

static void a_raise_for_a_vcpu_without_control_block_follows_bind_vcpu(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port;

	start_2l(a);
	start_control(a, 0);
	assert_int_equal(add_page(a), 0);
	port = open_line(a, &l, 3);
	raise_line(&l);
	assert_int_equal(uc_bind_vcpu(&a->d, port, 0), 0);
	run_all(a);
	assert_string_equal(handled(a), "0:1");
}

static void pending_2l_events_are_carried_into_fifo(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct uc_port_info info;
	struct line l[3];
	uint32_t port = 0;

	start_2l(a);
	for (uint32_t i = 0; i < 3; i++)
		port = open_line(a, &l[i], 0);
	uc_guest_mask(&a->guest, 2); /* nor does a mask hold it back: the new words are unmasked */
	raise_line(&l[1]);
	raise_line(&l[2]);
	for (uint32_t i = 0; i < VCPUS; i++)
		start_control(a, i);
	assert_int_equal(add_page(a), 0);
	run_all(a);
	assert_string_equal(handled(a), "0:2 0:3");
	assert_int_equal(uc_port_info(&a->d, port, &info), 0);
	assert_int_equal(info.events, 1);
	assert_int_equal(uc_port_info(&a->d, 1, &info), 0);
	assert_int_equal(info.events, 0);
}

static void a_raise_before_shared_info_is_carried_into_fifo(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;

	open_line(a, &l, 0);
	raise_line(&l);
	start_fifo(a, 1);
	run_all(a);
	assert_string_equal(handled(a), "0:1");
}

static void an_upcall_before_shared_info_is_raised_again_in_it(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;

	start_control(a, 0);
	assert_int_equal(add_page(a), 0);
	open_line(a, &l, 0);
	raise_line(&l);
	start_2l(a);
	assert_int_equal(a->kicks[0], 2);
	run_all(a);
	assert_string_equal(handled(a), "0:1");
}

static void a_vcpu_info_of_its_own_takes_over(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;

	start_fifo(a, 1);
	open_line(a, &l, 1);
	raise_line(&l);
	assert_int_equal(uc_vcpu_set_info(&a->vcpus[1], FRAME_INFO, 64), 0);
	a->gv[1].info = (struct uc_vcpu_info *)((uint8_t *)frame_of(a, FRAME_INFO) + 64);
	run_all(a);
	assert_string_equal(handled(a), "1:1");
	raise_line(&l);
	run_all(a);
	assert_string_equal(handled(a), "1:1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(init_control_switches_to_fifo),
		TEST(init_control_refuses_bad_arguments),
		TEST(init_control_works_once_per_vcpu),
		TEST(after_a_failed_init_control_every_operation_is_sane),
		TEST(expand_array_is_for_fifo_only),
		TEST(expand_array_takes_128_pages),
		TEST(set_info_works_once_and_marks_everything),
		TEST(set_info_refuses_bad_places),
		TEST(set_shared_info_refuses_a_bad_frame_and_moves),
		TEST(a_raise_before_shared_info_is_delivered_once_it_is_there),
		TEST(a_raise_before_its_page_is_delivered_once_it_is_there),
		TEST(a_raise_beyond_the_last_page_touches_no_word),
		TEST(a_parked_raise_does_not_reach_the_ports_next_life),
		TEST(a_raise_before_the_vcpus_control_block_is_delivered_once_it_is_there),
		TEST(a_raise_at_priority_0_waits_for_the_control_block_too),
		TEST(a_raise_for_a_vcpu_without_control_block_follows_bind_vcpu),
		TEST(pending_2l_events_are_carried_into_fifo),
		TEST(a_raise_before_shared_info_is_carried_into_fifo),
		TEST(an_upcall_before_shared_info_is_raised_again_in_it),
		TEST(a_vcpu_info_of_its_own_takes_over),
	};

	return cmocka_run_group_tests_name("setup", tests, NULL, NULL);
}
