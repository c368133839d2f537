/* SPDX-License-Identifier: MIT */
/* Raise, consume, unmask, poll, hand-over: what happens all the time. See acts.h. */
#include "scenarios.h"

#include <upcall/route.h>

#include "acts.h"
#include "truth.h"

/* Line 0 goes to another vCPU at its next raise, and is its old queue's tail until then. */
static void with_moving(struct scene *s)
{
	with_settled(s);
	raise_line(&s->l[0]);
	run_all(s->a);
	uc_bind_vcpu(&s->a->d, s->port[0], 1);
}

static void with_masked(struct scene *s)
{
	with_settled(s);
	uc_guest_mask(&s->a->guest, s->port[0]);
}

static void with_masked_2l(struct scene *s)
{
	with_2l(s);
	uc_guest_mask(&s->a->guest, s->port[0]);
}

static void with_late_eoi(struct scene *s)
{
	with_settled(s);
	s->a->on_handle = masks_and_unmasks;
}

/* An IPI, which must stay, between two lines that must go. */
static void with_waiting_ipi(struct scene *s)
{
	with_follow(s);
	raises(s, 0);
	assert_int_equal(uc_send(&s->a->d, 1), 0);
	raises(s, 1);
	only_runs(s, 1);
}

/* Each queue's would go to the other's vCPU. */
static void with_both_waiting(struct scene *s)
{
	with_waiting(s);
	raises(s, 2);
	only_runs(s, 2);
}

static void with_pair(struct scene *s)
{
	with_settled(s);
	start_fifo(s->b, 1);
	s->hers = open_pair(s->b, s->a, &s->extra);
}

static void in_order(struct scene *s)
{
	truth_handled_in_order(s->a, s->port[0], s->port[1]);
	truth_handled_in_order(s->a, s->port[1], s->port[2]);
}

static void unmasks(struct scene *s, uint32_t line)
{
	uc_guest_unmask(&s->a->guest, s->port[line]);
}

static void asks_to_unmask(struct scene *s, uint32_t line)
{
	BOUNDED(UNMASK_WORDS, uc_unmask(&s->a->d, s->port[line]));
}

static void polls(struct scene *s, uint32_t nr_ports)
{
	struct uc_vcpu *v = &s->a->vcpus[3];

	BOUNDED(POLL_WORDS(nr_ports), s->rc = uc_poll_begin(v, s->port, nr_ports));
	if (s->rc)
		return;
	engine_wait(&s->a->wakes[3], 0);
	uc_poll_end(v);
}

/* Pending for a poller; no handler runs. */
static void raises_masked(struct scene *s, uint32_t line)
{
	raises(s, line);
	s->seen[line] = s->sent[line];
}

static void sends(struct scene *s, uint32_t none)
{
	(void)none;
	BOUNDED(RAISE_WORDS, uc_send(&s->a->d, s->extra));
}

static void sends_back(struct scene *s, uint32_t none)
{
	(void)none;
	BOUNDED(RAISE_WORDS, uc_send(&s->b->d, s->hers));
}

static void both_sides_heard(struct scene *s)
{
	assert_true(times_handled(s->a, s->extra) > 0);
	assert_true(times_handled(s->b, s->hers) > 0);
}

const struct scenario scenarios_raise[] = {
	{"one-port",
	 "two senders raise one port, its vCPU consumes",
	 with_settled,
	 {{"sender", raises_twice, 0}, {"sender", raises, 0}, {"vcpu0", vcpu, 0, true}},
	 .preemptions = 3},
	{"consumer",
	 "three ports in order, the vCPU consumes",
	 with_settled,
	 {{"sender", raises_in_order}, {"vcpu0", vcpu, 0, true}},
	 in_order,
	 3},
	{"two-ports",
	 "two senders, two ports, the tail is consumed meanwhile",
	 with_settled,
	 {{"sender", raises, 0}, {"sender", raises, 1}, {"vcpu0", vcpu, 0, true}},
	 .preemptions = 3},
	{"three-senders",
	 "three senders, one queue, nobody consumes",
	 with_fifo,
	 {{"sender", raises, 0}, {"sender", raises, 1}, {"sender", raises, 2}},
	 .preemptions = 3},
	{"old-tail",
	 "a port leaves its queue, whose tail it was, for another vCPU's",
	 with_moving,
	 {{"sender", raises, 0},
	  {"sender", raises, 1},
	  {"vcpu0", vcpu, 0, true},
	  {"vcpu1", vcpu, 1, true}},
	 .preemptions = 2},
	{"unmask",
	 "a sender, and the guest unmasks",
	 with_masked,
	 {{"sender", raises, 0}, {"guest", unmasks, 0}, {"vcpu0", vcpu, 0, true}},
	 .preemptions = 3},
	{"unmask-call",
	 "a sender, and EVTCHNOP_unmask",
	 with_masked,
	 {{"sender", raises, 0}, {"guest", asks_to_unmask, 0}, {"vcpu0", vcpu, 0, true}},
	 .preemptions = 3},
	{"late-eoi",
	 "masked while handled, and raised again",
	 with_late_eoi,
	 {{"sender", raises_twice, 0}, {"sender", raises, 1}, {"vcpu0", vcpu, 0, true}},
	 .preemptions = 2},
	{"two-level",
	 "two senders, a consumer",
	 with_2l,
	 {{"sender", raises_twice, 0}, {"sender", raises, 1}, {"vcpu0", vcpu, 0, true}},
	 .preemptions = 3},
	{"two-level-unmask",
	 "a sender, and EVTCHNOP_unmask",
	 with_masked_2l,
	 {{"sender", raises, 0}, {"guest", asks_to_unmask, 0}, {"vcpu0", vcpu, 0, true}},
	 .preemptions = 3},
	{"poll",
	 "SCHEDOP_poll of one port, and a sender",
	 with_settled,
	 {{"sender", raises, 0}, {"poller", polls, 1}},
	 .preemptions = 3},
	{"poll-masked",
	 "SCHEDOP_poll of two masked ports, as a pv spinlock does",
	 with_masked,
	 {{"sender", raises_masked, 0}, {"poller", polls, 2}},
	 .preemptions = 3},
	{"poll-two-level",
	 "SCHEDOP_poll, and a sender",
	 with_2l,
	 {{"sender", raises, 1}, {"poller", polls, 2}},
	 .preemptions = 3},
	{"pair",
	 "two domains notify each other",
	 with_pair,
	 {{"sender", sends},
	  {"sender of b", sends_back},
	  {"vcpu0", vcpu, 0, true},
	  {"vcpu0 of b", vcpu_of_b, 0, true}},
	 both_sides_heard,
	 2},
	{"hand-over",
	 "what waits moves on, the vCPU takes it, a sender raises it again",
	 with_waiting,
	 {{"agent", hands_over, 0},
	  {"sender", raises, 0},
	  {"vcpu0", vcpu, 0, true},
	  {"vcpu1", vcpu, 1, true}},
	 .preemptions = 2},
	{"hand-over-new",
	 "what waits moves on, another port comes behind it",
	 with_waiting,
	 {{"agent", hands_over, 0},
	  {"sender", raises, 2},
	  {"vcpu0", vcpu, 0, true},
	  {"vcpu1", vcpu, 1, true}},
	 .preemptions = 1},
	{"hand-over-ipi",
	 "what waits moves on, but for an IPI",
	 with_waiting_ipi,
	 {{"agent", hands_over, 0}, {"vcpu0", vcpu, 0, true}, {"vcpu1", vcpu, 1, true}},
	 .preemptions = 3},
	{"hand-over-both",
	 "two agents, two queues, a third vCPU",
	 with_both_waiting,
	 {{"agent", hands_over, 0},
	  {"agent", hands_over, 1},
	  {"vcpu0", vcpu, 0, true},
	  {"vcpu1", vcpu, 1, true},
	  {"vcpu2", vcpu, 2, true}},
	 .preemptions = 1},
	{0},
};
