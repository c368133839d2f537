/* SPDX-License-Identifier: MIT */
/*
 * The library at work for a guest that changes any bit of its words at any point, while another
 * domain goes on. Nothing is expected for machine a but that it works again when it mends its words
 * (truth_repair()); of machine b, all.
 */
#include <upcall/route.h>
#include <xen/xen.h>

#include "acts.h"
#include "scenarios.h"

#define CONTROL(s, call) BOUNDED(CONTROL_WORDS(uc_ports_valid(&(s)->a->d)), call)

static void with_settled_and_victim(struct scene *s)
{
	with_settled(s);
	with_victim(s);
}

static void with_waiting_and_victim(struct scene *s)
{
	with_waiting(s);
	with_victim(s);
}

static void with_2l_and_victim(struct scene *s)
{
	with_2l(s);
	with_victim(s);
}

static void with_pair_and_victim(struct scene *s)
{
	with_settled(s);
	with_victim(s);
	s->hers = open_pair(s->b, s->a, &s->extra);
}

static void with_nothing_mapped(struct scene *s)
{
	with_2l(s);
	with_victim(s);
	raise_line(&s->l[0]);
}

static void changes_everything(struct scene *s, uint32_t line)
{
	struct uc_domain *d = &s->a->d;

	CONTROL(s, uc_set_priority(d, s->port[line], 3));
	CONTROL(s, uc_bind_vcpu(d, s->port[line], 1));
	BOUNDED(RAISE_WORDS, uc_endpoint_raise(&s->l[line].e));
	BOUNDED(UNMASK_WORDS, uc_unmask(d, s->port[line]));
	CONTROL(s, uc_close(d, s->port[line]));
	CONTROL(s, uc_endpoint_open(&s->l[3].e, d));
	BOUNDED(RAISE_WORDS, uc_endpoint_raise(&s->l[3].e));
}

static void with_changes(struct scene *s)
{
	with_settled_and_victim(s);
	s->l[3].e.notify = s->l[0].e.notify;
}

static void goes_offline(struct scene *s, uint32_t v)
{
	CONTROL(s, uc_close(&s->a->d, 1 + v));
}

static void confines(struct scene *s, uint32_t line)
{
	uint64_t only_1 = 1u << 1;

	CONTROL(s, uc_port_set_affinity(&s->a->d, s->port[line], &only_1));
}

static void sets_up_fifo(struct scene *s, uint32_t none)
{
	(void)none;
	for (uint32_t v = 0; v < VCPUS; v++)
		CONTROL(s, uc_init_control(&s->a->d, v, FRAME_CONTROL + v, 0));
	CONTROL(s, uc_expand_array(&s->a->d, FRAME_EVENTS));
}

/* For the repair: the guest knows that it is FIFO now. */
static void is_fifo_now(struct scene *s)
{
	s->a->guest.fifo = true;
	s->a->guest.nr_words = UC_FIFO_WORDS_PER_PAGE;
	s->a->guest.event_page[0] = frame_of(s->a, FRAME_EVENTS);
	for (uint32_t v = 0; v < VCPUS; v++)
		s->a->gv[v].control = control_of(s->a, v);
}

static void polls_and_unmasks(struct scene *s, uint32_t line)
{
	BOUNDED(POLL_WORDS(1), s->rc = uc_poll_begin(&s->a->vcpus[3], &s->port[line], 1));
	if (!s->rc)
		uc_poll_end(&s->a->vcpus[3]);
	BOUNDED(UNMASK_WORDS, uc_unmask(&s->a->d, s->port[line]));
}

static void both_send(struct scene *s, uint32_t none)
{
	(void)none;
	BOUNDED(RAISE_WORDS, assert_int_equal(uc_send(&s->b->d, s->hers), 0));
	BOUNDED(RAISE_WORDS, assert_int_equal(uc_send(&s->a->d, s->extra), 0));
}

static void b_heard(struct scene *s)
{
	assert_true(times_handled(s->b, s->hers) > 0);
}

static void b_closes(struct scene *s, uint32_t none)
{
	(void)none;
	CONTROL(s, assert_int_equal(uc_close(&s->b->d, s->hers), 0));
}

#define VICTIM                                                                                     \
	{                                                                                          \
		"b's sender", raises_victim                                                        \
	}
#define GUEST(v)                                                                                   \
	{                                                                                          \
		"guest", takes_anything, v                                                         \
	}

const struct scenario scenarios_hostile[] = {
	{"hostile-raise",
	 "three raises into one queue",
	 with_settled_and_victim,
	 {{"sender", raises_in_order}, GUEST(0), VICTIM},
	 .preemptions = 1,
	 .is_hostile = true},
	{"hostile-hand-over",
	 "a queue is taken back and linked elsewhere",
	 with_waiting_and_victim,
	 {{"agent", hands_over, 0}, {"sender", raises, 0}, GUEST(0), VICTIM},
	 .preemptions = 0,
	 .is_hostile = true},
	{"hostile-affinity",
	 "a set that the waiting event must leave",
	 with_waiting_and_victim,
	 {{"host", confines, 0}, {"sender", raises, 1}, VICTIM},
	 .preemptions = 1,
	 .is_hostile = true},
	{"hostile-offline",
	 "a CPU goes, with events waiting there",
	 with_waiting_and_victim,
	 {{"guest", goes_offline, 0}, {"sender", raises, 0}, VICTIM},
	 .preemptions = 0,
	 .is_hostile = true},
	{"hostile-control",
	 "priority, vCPU, close, reuse",
	 with_changes,
	 {{"guest", changes_everything, 0}, {"sender", raises, 1}, VICTIM},
	 .preemptions = 0,
	 .is_hostile = true},
	{"hostile-set-up",
	 "the guest becomes FIFO",
	 with_nothing_mapped,
	 {{"guest", sets_up_fifo}, {"sender", raises, 0}, VICTIM},
	 is_fifo_now,
	 .preemptions = 1,
	 .is_hostile = true},
	{"hostile-two-level",
	 "raise, poll, unmask on the old ABI",
	 with_2l_and_victim,
	 {{"sender", raises, 0}, {"guest", polls_and_unmasks, 0}, VICTIM},
	 .preemptions = 1,
	 .is_hostile = true},
	{"hostile-pair",
	 "joined to the other domain",
	 with_pair_and_victim,
	 {{"both", both_send}, GUEST(0), VICTIM},
	 b_heard,
	 .preemptions = 1,
	 .is_hostile = true},
	{"hostile-peer-close",
	 "the other domain closes its end",
	 with_pair_and_victim,
	 {{"b", b_closes}, {"sender", raises, 0}, VICTIM},
	 .preemptions = 1,
	 .is_hostile = true},
	{0},
};

const struct scenario *const scenario_tables[] = {
	scenarios_raise, scenarios_control, scenarios_reset, scenarios_hostile, 0,
};
