/* SPDX-License-Identifier: MIT */
/*
 * Pairs of raise, life cycle, set-up, poll and guest operations, each before each atomic access of
 * the other: see play.h. Those of routing are in steps_route.c.
 */
#include "play.h"

#include <string.h>

#include "step.h"
#include <xen/errno.h>
#include <xen/xen.h>

static void setup_2l(struct scene *s)
{
	start_2l(s->a);
	for (int i = 0; i < 3; i++)
		s->port[i] = open_line(s->a, &s->l[i], 0);
}

static void setup_nothing(struct scene *s)
{
	for (int i = 0; i < 3; i++)
		s->port[i] = open_line(s->a, &s->l[i], 0);
}

static void setup_fifo(struct scene *s)
{
	start_fifo(s->a, 1);
	setup_nothing(s);
}

static void setup_no_page(struct scene *s)
{
	start_fifo(s->a, 0);
	setup_nothing(s);
}

static void setup_no_control(struct scene *s)
{
	start_2l(s->a);
	start_control(s->a, 1);
	add_page(s->a);
	setup_nothing(s);
}

static void setup_one_linked(struct scene *s)
{
	setup_fifo(s);
	raise_line(&s->l[0]);
}

static void setup_moving(struct scene *s)
{
	setup_fifo(s);
	raise_line(&s->l[0]);
	raise_line(&s->l[1]);
	run_all(s->a);
	uc_bind_vcpu(&s->a->d, s->port[0], 1);
}

/* Every port has a queue to stay in: raises take the common path. */
static void setup_settled(struct scene *s)
{
	setup_fifo(s);
	raise_line(&s->l[0]);
	raise_line(&s->l[1]);
	run_all(s->a);
}

static void setup_apart(struct scene *s)
{
	setup_fifo(s);
	raise_line(&s->l[0]);
	run_all(s->a);
	uc_bind_vcpu(&s->a->d, s->port[1], 1);
}

static void setup_masked(struct scene *s)
{
	setup_fifo(s);
	uc_guest_mask(&s->a->guest, s->port[0]);
}

static void setup_masked_2l(struct scene *s)
{
	setup_2l(s);
	uc_guest_mask(&s->a->guest, s->port[0]);
}

static void setup_pair(struct scene *s)
{
	start_fifo(s->a, 1);
	start_2l(s->b);
	s->port[0] = open_pair(s->a, s->b, &s->extra);
}

static void setup_unbound(struct scene *s)
{
	start_fifo(s->a, 1);
	start_2l(s->b);
	assert_int_equal(uc_alloc_unbound(&s->b->d, ID_A, &s->extra), 0);
}

static void setup_timer(struct scene *s)
{
	start_fifo(s->a, 1);
	assert_int_equal(uc_bind_virq(&s->a->d, VIRQ_TIMER, 2, &s->port[0]), 0);
}

static void raise_0(struct scene *s)
{
	uc_endpoint_raise(&s->l[0].e);
}

static void raise_1(struct scene *s)
{
	uc_endpoint_raise(&s->l[1].e);
}

static void raise_both(struct scene *s)
{
	raise_0(s);
	raise_1(s);
}

static void page(struct scene *s)
{
	assert_int_equal(add_page(s->a), 0);
}

static void control_0(struct scene *s)
{
	start_control(s->a, 0);
}

static void to_fifo(struct scene *s)
{
	for (uint32_t v = 0; v < VCPUS; v++)
		start_control(s->a, v);
	page(s);
}

static void to_fifo_rest(struct scene *s)
{
	for (uint32_t v = 0; v < VCPUS - 1; v++)
		start_control(s->a, v);
}

static void to_fifo_slowly(struct scene *s)
{
	start_control(s->a, 3);
	raise_1(s);
	page(s);
	to_fifo_rest(s);
}

static void shared_info(struct scene *s)
{
	start_2l(s->a);
}

/* A guest that never maps shared_info. */
static void to_fifo_alone(struct scene *s)
{
	struct machine *a = s->a;

	for (uint32_t i = 0; i < VCPUS; i++)
		start_control(a, i);
	add_page(a);
	for (uint32_t i = 0; i < VCPUS; i++) {
		assert_int_equal(uc_vcpu_set_info(&a->vcpus[i], FRAME_INFO, i * 64), 0);
		a->gv[i].info = (void *)((uint8_t *)frame_of(a, FRAME_INFO) + (size_t)i * 64);
	}
}

static void own_info(struct scene *s)
{
	assert_int_equal(uc_vcpu_set_info(&s->a->vcpus[0], FRAME_INFO, 0), 0);
	s->a->gv[0].info = frame_of(s->a, FRAME_INFO);
}

static void to_vcpu_1(struct scene *s)
{
	uc_bind_vcpu(&s->a->d, s->port[0], 1);
}

static void to_vcpu_2(struct scene *s)
{
	uc_bind_vcpu(&s->a->d, s->port[0], 2);
}

static void to_vcpu_1_and_raise(struct scene *s)
{
	to_vcpu_1(s);
	raise_both(s);
}

/* After this the port is vCPU 1's tail, consumed. */
static void to_vcpu_1_raise_and_run(struct scene *s)
{
	to_vcpu_1(s);
	raise_0(s);
	run_all(s->a);
}

static void other_priority(struct scene *s)
{
	uc_set_priority(&s->a->d, s->port[0], 3);
}

static void reopen(struct scene *s)
{
	play_uncertain = 1;
	assert_int_equal(uc_close(&s->a->d, s->port[0]), 0);
	s->port[2] = open_line(s->a, &s->l[2], 1);
}

static void raise_reopened(struct scene *s)
{
	s->a->nr_log = 0;
	raise_line(&s->l[2]);
	all_handled(s->a);
	assert_true(times_handled(s->a, s->port[2]) > 0);
	assert_int_equal(s->a->log[s->a->nr_log - 1].vcpu, 1);
}

static void guest_runs(struct scene *s)
{
	run_all(s->a);
}

/* As a vCPU does that is still in its loop from an upcall before. */
static void guest_looks(struct scene *s)
{
	for (uint32_t v = 0; v < VCPUS; v++)
		__atomic_store_n(&s->a->gv[v].info->upcall_pending.raw, 1, __ATOMIC_SEQ_CST);
	run_all(s->a);
}

static void guest_masks(struct scene *s)
{
	uc_guest_mask(&s->a->guest, s->port[0]);
}

static void guest_unmasks(struct scene *s)
{
	uc_guest_unmask(&s->a->guest, s->port[0]);
}

static void guest_masks_and_unmasks(struct scene *s)
{
	guest_masks(s);
	guest_runs(s);
	guest_unmasks(s);
}

static void op_unmask(struct scene *s)
{
	assert_int_equal(uc_unmask(&s->a->d, s->port[0]), 0);
}

static void poll(struct scene *s)
{
	s->rc = uc_poll_begin(&s->a->vcpus[3], &s->port[0], 1);
}

static void poll_any(struct scene *s)
{
	s->rc = uc_poll_begin(&s->a->vcpus[3], s->port, 2);
}

static void poll_saw_it_or_was_woken(struct scene *s)
{
	assert_true(s->rc == 1 || s->a->wakes[3] == 1);
	if (s->rc == 0)
		uc_poll_end(&s->a->vcpus[3]);
}

static void bind_remote(struct scene *s)
{
	s->rc = uc_bind_interdomain(&s->a->d, ID_B, s->extra, &s->port[0]);
}

static void send_remote(struct scene *s)
{
	assert_int_equal(uc_send(&s->b->d, s->extra), 0);
}

static void bound_and_told(struct scene *s)
{
	assert_int_equal(s->rc, 0);
	assert_true(times_handled(s->a, s->port[0]) > 0);
}

static void close_0(struct scene *s)
{
	s->rc = uc_close(&s->a->d, s->port[0]);
}

/* The port is closed and has another peer, in another domain, when the close goes on. */
static void rebind_to_self(struct scene *s)
{
	uint32_t unbound, port;

	if (uc_close(&s->a->d, s->port[0]))
		return;
	assert_int_equal(uc_alloc_unbound(&s->a->d, ID_A, &unbound), 0);
	assert_int_equal(uc_bind_interdomain(&s->a->d, ID_A, unbound, &port), 0);
}

static void close_remote(struct scene *s)
{
	assert_int_equal(uc_close(&s->b->d, s->extra), 0);
}

static void end_point_closes(struct scene *s)
{
	uc_endpoint_close(&s->l[0].e);
}

static void send_0(struct scene *s)
{
	uc_send(&s->a->d, s->port[0]);
}

static void timer_fires(struct scene *s)
{
	assert_int_equal(uc_virq_raise(&s->a->vcpus[2], VIRQ_TIMER), 0);
}

static void timer_rebinds(struct scene *s)
{
	play_uncertain = 1;
	assert_int_equal(uc_close(&s->a->d, s->port[0]), 0);
	assert_int_equal(uc_bind_virq(&s->a->d, VIRQ_TIMER, 2, &s->port[0]), 0);
}

static void timer_came_on_its_vcpu(struct scene *s)
{
	for (uint32_t i = 0; i < s->a->nr_log; i++)
		assert_int_equal(s->a->log[i].vcpu, 2);
	s->a->nr_log = 0;
	timer_fires(s);
	run_all(s->a);
	assert_int_equal(times_handled(s->a, s->port[0]), 1);
}

static void came(struct scene *s)
{
	assert_true(times_handled(s->a, s->port[0]) > 0);
}

static void came_once(struct scene *s)
{
	assert_int_equal(times_handled(s->a, s->port[0]), 1);
}

static void both_came(struct scene *s)
{
	came(s);
	assert_true(times_handled(s->a, s->port[1]) > 0);
}

static void both_came_and_1_on_vcpu_1(struct scene *s)
{
	both_came(s);
	for (uint32_t i = 0; i < s->a->nr_log; i++)
		assert_true(s->a->log[i].port != s->port[1] || s->a->log[i].vcpu == 1);
}

/* An event linked after bind_vcpu has returned is on the new vCPU. */
static void next_comes_on_vcpu_2(struct scene *s)
{
	came(s);
	s->a->nr_log = 0;
	raise_0(s);
	run_all(s->a);
	assert_string_equal(handled(s->a), "2:1");
}

/* Not on a closed port: the late raise must not put it into a queue. */
static void nothing_came(struct scene *s)
{
	assert_int_equal(times_handled(s->a, s->port[0]), 0);
}

static void nothing_more_came(struct scene *s)
{
	assert_int_equal(times_handled(s->a, s->port[0]), 1);
}

static const struct pair pairs[] = {
	PAIR(setup_no_page, raise_0, page, came_once),
	PAIR(setup_no_page, page, raise_0, came),
	PAIR(setup_no_control, raise_0, control_0, came_once),
	PAIR(setup_no_control, control_0, raise_0, came),
	PAIR(setup_no_control, raise_0, to_vcpu_1, came_once),
	PAIR(setup_no_control, to_vcpu_1, raise_0, came),
	PAIR(setup_2l, raise_0, to_fifo, came),
	PAIR(setup_2l, to_fifo, raise_0, came),
	PAIR(setup_2l, raise_0, to_fifo_slowly, came),
	PAIR(setup_nothing, raise_0, to_fifo_alone, came),
	PAIR(setup_nothing, to_fifo_alone, raise_0, came),
	PAIR(setup_nothing, raise_0, shared_info, came_once),
	PAIR(setup_nothing, shared_info, raise_0, came),
	PAIR(setup_2l, raise_0, own_info, came_once),
	PAIR(setup_2l, own_info, raise_0, came),
	PAIR(setup_fifo, raise_0, own_info, came_once),
	PAIR(setup_fifo, own_info, raise_0, came),
	PAIR(setup_fifo, raise_0, to_vcpu_2, next_comes_on_vcpu_2),
	PAIR(setup_fifo, to_vcpu_2, raise_0, next_comes_on_vcpu_2),
	PAIR(setup_moving, raise_0, to_vcpu_2, next_comes_on_vcpu_2),
	PAIR(setup_moving, raise_both, to_vcpu_2, both_came),
	PAIR(setup_moving, raise_0, raise_1, both_came),
	PAIR(setup_moving, raise_1, raise_0, both_came),
	PAIR(setup_settled, raise_0, to_vcpu_2, next_comes_on_vcpu_2),
	PAIR(setup_settled, to_vcpu_2, raise_0, next_comes_on_vcpu_2),
	PAIR(setup_settled, raise_both, to_vcpu_1_and_raise, both_came),
	PAIR(setup_settled, raise_both, other_priority, both_came),
	PAIR(setup_settled, raise_0, reopen, raise_reopened),
	PAIR(setup_settled, raise_0, close_0, nothing_more_came),
	PAIR(setup_settled, raise_0, raise_1, both_came),
	PAIR(setup_settled, guest_runs, raise_both, both_came),
	GUEST(setup_settled, raise_both, guest_looks, both_came),
	PAIR(setup_apart, raise_both, to_vcpu_1_raise_and_run, both_came_and_1_on_vcpu_1),
	PAIR(setup_fifo, raise_0, other_priority, came_once),
	PAIR(setup_fifo, other_priority, raise_both, both_came),
	PAIR(setup_one_linked, raise_1, to_vcpu_1_and_raise, both_came),
	PAIR(setup_fifo, raise_0, reopen, raise_reopened),
	PAIR(setup_2l, raise_0, reopen, raise_reopened),
	PAIR(setup_fifo, reopen, raise_0, raise_reopened),
	PAIR(setup_fifo, raise_0, raise_0, came_once),
	PAIR(setup_fifo, raise_0, raise_1, both_came),
	GUEST(setup_fifo, raise_both, guest_runs, both_came),
	GUEST(setup_fifo, raise_both, guest_looks, both_came),
	GUEST(setup_moving, raise_both, guest_looks, both_came),
	GUEST(setup_one_linked, raise_0, guest_runs, came),
	GUEST(setup_one_linked, raise_1, guest_runs, both_came),
	GUEST(setup_one_linked, raise_1, guest_looks, both_came),
	PAIR(setup_one_linked, raise_1, guest_masks_and_unmasks, both_came),
	PAIR(setup_fifo, raise_0, guest_masks_and_unmasks, came),
	PAIR(setup_masked, raise_0, op_unmask, came_once),
	PAIR(setup_masked, op_unmask, raise_0, came),
	PAIR(setup_masked, raise_0, guest_unmasks, came_once),
	PAIR(setup_masked, guest_unmasks, raise_0, came),
	PAIR(setup_masked_2l, raise_0, op_unmask, came_once),
	PAIR(setup_masked_2l, op_unmask, raise_0, came),
	PAIR(setup_one_linked, guest_runs, raise_0, came),
	PAIR(setup_one_linked, guest_runs, raise_both, both_came),
	PAIR(setup_one_linked, guest_runs, to_vcpu_1_and_raise, both_came),
	PAIR(setup_one_linked, guest_masks_and_unmasks, raise_both, both_came),
	PAIR(setup_2l, raise_both, guest_runs, both_came),
	PAIR(setup_fifo, poll, raise_0, poll_saw_it_or_was_woken),
	PAIR(setup_fifo, raise_0, poll, poll_saw_it_or_was_woken),
	PAIR(setup_fifo, poll_any, raise_1, poll_saw_it_or_was_woken),
	PAIR(setup_2l, poll, raise_0, poll_saw_it_or_was_woken),
	PAIR(setup_2l, raise_0, poll, poll_saw_it_or_was_woken),
	PAIR(setup_unbound, bind_remote, send_remote, bound_and_told),
	PAIR(setup_unbound, send_remote, bind_remote, bound_and_told),
	PAIR(setup_pair, close_0, rebind_to_self, NULL),
	PAIR(setup_pair, close_0, close_remote, NULL),
	PAIR(setup_pair, send_remote, close_0, NULL),
	PAIR(setup_fifo, raise_0, end_point_closes, NULL),
	PAIR(setup_fifo, end_point_closes, raise_0, NULL),
	PAIR(setup_fifo, send_0, end_point_closes, NULL),
	PAIR(setup_fifo, send_0, close_0, NULL),
	PAIR(setup_fifo, raise_0, close_0, nothing_came),
	PAIR(setup_moving, raise_0, close_0, nothing_more_came),
	PAIR(setup_timer, timer_fires, timer_rebinds, timer_came_on_its_vcpu),
	PAIR(setup_timer, timer_rebinds, timer_fires, timer_came_on_its_vcpu),
};

static struct {
	uc_g32 *tail;
	uint32_t accesses, flip;
} hostile;

static void flip_the_tail(const volatile void *address)
{
	if (address != hostile.tail)
		return;
	__atomic_fetch_xor(&hostile.tail->raw, hostile.flip, __ATOMIC_SEQ_CST);
	if (++hostile.accesses > 100)
		fail_msg("the guest decides how long the host loops");
}

static void raise_behind_a_changing_tail(struct machine *a, uint32_t flip)
{
	struct line l[2];

	start_fifo(a, 1);
	open_line(a, &l[0], 0);
	open_line(a, &l[1], 0);
	raise_line(&l[0]);
	hostile.tail = word_of(a, 1);
	hostile.accesses = 0;
	hostile.flip = flip;
	uc_step_hook = flip_the_tail;
	raise_line(&l[1]);
	uc_step_hook = NULL;
	assert_true(hostile.accesses > 5 && hostile.accesses < 20);
}

static void a_guest_that_keeps_changing_the_tail_is_given_up_soon(void **state)
{
	struct machine *a = ((struct world *)*state)->a;

	raise_behind_a_changing_tail(a, 0x1ffff);
	assert_false(any_lock_held(a));
}

/* Senders set PENDING without the queue's lock, a guest may clear it: both keep the ABI. */
static void an_event_behind_a_tail_of_changing_pending_is_not_lost(void **state)
{
	struct machine *a = ((struct world *)*state)->a;

	raise_behind_a_changing_tail(a, UC_FIFO_PENDING);
	run_all(a);
	assert_true(times_handled(a, 2) == 1);
	assert_int_equal(word(a, 1) & ~UC_FIFO_PENDING, 0);
	assert_int_equal(word(a, 2), 0);
}

int main(void)
{
	const struct CMUnitTest hostile_tests[] = {
		TEST(a_guest_that_keeps_changing_the_tail_is_given_up_soon),
		TEST(an_event_behind_a_tail_of_changing_pending_is_not_lost),
	};

	return play_group("steps", pairs, sizeof(pairs) / sizeof(pairs[0]), hostile_tests, 2);
}
