/* SPDX-License-Identifier: MIT */
/*
 * The advisories and races of advisories.c that need another party between two accesses: the second
 * comes before each access of the first, see play.h.
 */
#include "play.h"

#include <upcall/route.h>
#include <xen/errno.h>
#include <xen/xen.h>

#include "step.h"

/* ---- set-ups ---- */

static void lines(struct scene *s)
{
	for (int i = 0; i < 3; i++)
		s->port[i] = open_line(s->a, &s->l[i], 0);
}

static void with_2l(struct scene *s)
{
	start_2l(s->a);
	lines(s);
}

/* FIFO with one vCPU's block; what the guest left in the frame of the next is not zero. */
static void with_garbage_frame(struct scene *s)
{
	start_2l(s->a);
	start_control(s->a, 1);
	add_page(s->a);
	lines(s);
	for (uint32_t q = 0; q < UC_FIFO_QUEUES; q++)
		control_of(s->a, 0)->head[q].raw = 0xdeadbeef;
}

static void with_no_page(struct scene *s)
{
	start_fifo(s->a, 0);
	lines(s);
}

static void with_fifo(struct scene *s)
{
	start_fifo(s->a, 1);
	lines(s);
}

static void with_settled(struct scene *s)
{
	with_fifo(s);
	raise_line(&s->l[0]);
	raise_line(&s->l[1]);
	run_all(s->a);
}

/* ---- parties ---- */

static void raise_0(struct scene *s)
{
	uc_endpoint_raise(&s->l[0].e);
}

static void raise_0_and_1(struct scene *s)
{
	uc_endpoint_raise(&s->l[0].e);
	uc_endpoint_raise(&s->l[1].e);
}

static void control_0(struct scene *s)
{
	start_control(s->a, 0);
}

static void to_fifo(struct scene *s)
{
	for (uint32_t v = 0; v < VCPUS; v++)
		start_control(s->a, v);
	assert_int_equal(add_page(s->a), 0);
}

static void add_a_page(struct scene *s)
{
	assert_int_equal(add_page(s->a), 0);
}

static void open_ipi(struct scene *s)
{
	assert_int_equal(uc_bind_ipi(&s->a->d, 2, &s->extra), 0);
}

/* By number, before it is valid or after: never in between. */
static void use_the_next_port(struct scene *s)
{
	uint32_t port = 4;
	struct uc_port_info info;

	if (uc_port_info(&s->a->d, port, &info)) {
		assert_int_equal(uc_send(&s->a->d, port), -XEN_EINVAL);
		return;
	}
	assert_true(info.kind == UC_PORT_FREE || (info.kind == UC_PORT_IPI && info.vcpu == 2));
	assert_true(uc_send(&s->a->d, port) == (info.kind == UC_PORT_IPI ? 0 : -XEN_EINVAL));
}

static void flap_priority(struct scene *s)
{
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(uc_set_priority(&s->a->d, s->port[0], 1 + i), 0);
}

static void move_0_raise_and_run(struct scene *s)
{
	assert_int_equal(uc_bind_vcpu(&s->a->d, s->port[0], 1), 0);
	raise_0(s);
	run_all(s->a);
}

static void poll_0(struct scene *s)
{
	s->rc = uc_poll_begin(&s->a->vcpus[3], s->port, 1);
}

static void send_0(struct scene *s)
{
	uc_send(&s->a->d, s->port[0]);
}

static void close_end_point(struct scene *s)
{
	uc_endpoint_close(&s->l[0].e);
	s->rc = 1;
}

static void close_port(struct scene *s)
{
	assert_int_equal(uc_close(&s->a->d, s->port[0]), 0);
	s->rc = 1;
}

/* ---- what must be ---- */

static void came(struct scene *s)
{
	assert_true(times_handled(s->a, s->port[0]) > 0);
}

static void both_came(struct scene *s)
{
	came(s);
	assert_true(times_handled(s->a, s->port[1]) > 0);
}

static void poller_was_served(struct scene *s)
{
	assert_true(s->rc == 1 || s->a->wakes[3] == 1);
	if (s->rc == 0)
		uc_poll_end(&s->a->vcpus[3]);
}

static void linked_when_woken(struct machine *m, uint32_t vcpu)
{
	(void)vcpu;
	assert_true(word(m, 1) & UC_FIFO_LINKED);
}

/* Woken or told that it is pending: either way the event is in a queue by then, or about to be. */
static void with_a_poller(struct scene *s)
{
	with_fifo(s);
	s->w->on_wake = linked_when_woken;
	s->rc = uc_poll_begin(&s->a->vcpus[3], s->port, 1);
	assert_int_equal(s->rc, 0);
}

static struct scene *listening;

static void heard(struct uc_endpoint *e)
{
	(void)e;
	assert_int_equal(listening->rc, 0);
}

static void with_ears(struct scene *s)
{
	with_fifo(s);
	s->l[0].e.notify = heard;
	listening = s;
}

#define RACE(name, setup, first, second, check)                                                    \
	{                                                                                          \
		name, setup, first, second, check, WITHOUT_LOCKS                                   \
	}

static const struct pair pairs[] = {
	RACE("xsa_340_a_port_is_seen_whole_or_not_at_all", with_fifo, open_ipi, use_the_next_port,
	     NULL),
	RACE("xsa_358_a_raise_while_the_control_block_is_published", with_garbage_frame, control_0,
	     raise_0, came),
	RACE("xsa_358_a_control_block_published_during_a_raise", with_garbage_frame, raise_0,
	     control_0, came),
	RACE("xsa_359_a_raise_while_the_abi_changes", with_2l, to_fifo, raise_0, came),
	RACE("xsa_359_the_abi_changes_during_a_raise", with_2l, raise_0, to_fifo, came),
	RACE("race_917c123029_a_page_is_added_during_a_raise", with_no_page, raise_0, add_a_page,
	     came),
	RACE("race_917c123029_a_raise_while_a_page_is_added", with_no_page, add_a_page, raise_0,
	     came),
	RACE("race_e33d4257fc_priority_flaps_during_a_raise", with_settled, raise_0_and_1,
	     flap_priority, both_came),
	RACE("race_e33d4257fc_a_raise_while_priority_flaps", with_settled, flap_priority,
	     raise_0_and_1, both_came),
	RACE("race_e33d4257fc_the_old_tail_is_not_followed", with_settled, raise_0_and_1,
	     move_0_raise_and_run, both_came),
	RACE("race_6f6f07b64c_a_port_changes_vcpus_during_a_raise", with_settled, raise_0_and_1,
	     move_0_raise_and_run, both_came),
	RACE("race_71ac522909_two_raise_and_a_poller_is_woken_after_the_link", with_a_poller,
	     raise_0, raise_0, poller_was_served),
	RACE("race_71ac522909_a_poll_during_a_raise", with_fifo, raise_0, poll_0,
	     poller_was_served),
	RACE("race_b399386bcd_a_send_while_the_back_end_closes", with_ears, close_end_point, send_0,
	     NULL),
	RACE("race_b399386bcd_the_back_end_closes_during_a_send", with_ears, send_0,
	     close_end_point, NULL),
	RACE("race_b399386bcd_a_send_while_the_guest_closes", with_ears, close_port, send_0, NULL),
};

/* ---- the tail's word, rewritten at each access ---- */

static struct {
	uc_g32 *word;
	uint32_t flip, accesses;
} hostile;

static void rewrite(const volatile void *address)
{
	if (address != hostile.word)
		return;
	__atomic_fetch_xor(&hostile.word->raw, hostile.flip, __ATOMIC_SEQ_CST);
	hostile.accesses++;
}

static uint32_t accesses_of_a_raise(struct world *w, uint32_t flip)
{
	struct line l[2];

	start_fifo(w->a, 1);
	open_line(w->a, &l[0], 0);
	open_line(w->a, &l[1], 0);
	raise_line(&l[0]);
	hostile.word = word_of(w->a, 1);
	hostile.flip = flip;
	hostile.accesses = 0;
	uc_step_hook = rewrite;
	raise_line(&l[1]);
	uc_step_hook = NULL;
	return hostile.accesses;
}

static void race_dae2a1c5f9_a_word_rewritten_at_each_try_costs_a_bounded_number(void **state)
{
	uint32_t accesses = accesses_of_a_raise(*state, 1u << 5);

	assert_true(accesses > 5 && accesses <= 12);
}

static void race_dae2a1c5f9_another_domain_is_not_held_up(void **state)
{
	struct world *w = *state;
	struct line l;

	accesses_of_a_raise(w, UC_FIFO_MASKED);
	assert_false(any_lock_held(w->a));
	start_fifo(w->b, 1);
	open_line(w->b, &l, 0);
	raise_line(&l);
	assert_int_equal(run_all(w->b), 1);
}

int main(void)
{
	const struct CMUnitTest more[] = {
		TEST(race_dae2a1c5f9_a_word_rewritten_at_each_try_costs_a_bounded_number),
		TEST(race_dae2a1c5f9_another_domain_is_not_held_up),
	};

	return play_group("advisories, races", pairs, sizeof(pairs) / sizeof(pairs[0]), more, 2);
}
