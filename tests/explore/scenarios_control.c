/* SPDX-License-Identifier: MIT */
/* Senders against what changes channels: bind, close, priorities, sets, set-up, CPUs that go. */
#include <string.h>

#include <upcall/route.h>
#include <xen/xen.h>

#include "acts.h"
#include "scenarios.h"

#define CONTROL(s, call) BOUNDED(CONTROL_WORDS(uc_ports_valid(&(s)->a->d)), call)

/* ---- ports ---- */

/* The number comes back as another channel, on vCPU 1: a late raise may be counted there. */
static void reopens(struct scene *s, uint32_t line)
{
	s->uncertain = 1;
	CONTROL(s, uc_close(&s->a->d, s->port[line]));
	s->seen[line] = s->sent[line];
	s->port[line] = 0;
	s->l[3].e.notify = s->l[line].e.notify;
	CONTROL(s, assert_int_equal(uc_endpoint_open(&s->l[3].e, &s->a->d), 0));
	s->port[3] = s->l[3].e.port;
	CONTROL(s, assert_int_equal(uc_bind_vcpu(&s->a->d, s->port[3], 1), 0));
	raises(s, 3);
}

static void closes(struct scene *s, uint32_t line)
{
	CONTROL(s, assert_int_equal(uc_close(&s->a->d, s->port[line]), 0));
	s->seen[line] = s->sent[line];
	s->port[line] = 0;
}

/* Late raises of a closed channel are nobody's. */
static void raises_late(struct scene *s, uint32_t line)
{
	raises(s, line);
	if (!s->port[line])
		s->seen[line] = s->sent[line];
}

/* Handled on vCPU 1, unless what was raised in the port's former life took it there before. */
static void next_comes_on_1(struct scene *s)
{
	s->a->nr_log = 0;
	raises(s, 3);
	run_all(s->a);
	assert_int_equal(times_handled(s->a, s->port[3]), 1);
	assert_int_equal(s->a->log[s->a->nr_log - 1].vcpu, 1);
}

static void binds_to_1(struct scene *s, uint32_t line)
{
	CONTROL(s, assert_int_equal(uc_bind_vcpu(&s->a->d, s->port[line], 1), 0));
}

static void next_of_0_comes_on_1(struct scene *s)
{
	s->a->nr_log = 0;
	raises(s, 0);
	run_all(s->a);
	assert_int_equal(s->a->nr_log, 1);
	assert_int_equal(s->a->log[0].vcpu, 1);
}

static void changes_priority(struct scene *s, uint32_t line)
{
	CONTROL(s, assert_int_equal(uc_set_priority(&s->a->d, s->port[line], 3), 0));
}

static void flaps_priority(struct scene *s, uint32_t line)
{
	for (uint32_t priority = 3; priority < 6; priority++)
		CONTROL(s, uc_set_priority(&s->a->d, s->port[line], priority));
}

/* ---- sets ---- */

static bool waits_untaken(struct machine *m, uint32_t v, uint32_t port)
{
	const struct uc_fifo_control_block *control = control_of(m, v);

	for (uint32_t q = 0; q < UC_FIFO_QUEUES; q++)
		if (control->ready.raw & (1u << q))
			for (uint32_t p = control->head[q].raw; p;
			     p = word_of(m, p)->raw & UC_FIFO_LINK_MASK)
				if (p == port)
					return true;
	return false;
}

/* The promise of uc_port_set_affinity(), at the moment when it returns. */
static void confines_to_1(struct scene *s, uint32_t line)
{
	uint64_t only_1 = 1u << 1;

	CONTROL(s, assert_int_equal(uc_port_set_affinity(&s->a->d, s->port[line], &only_1), 0));
	if (waits_untaken(s->a, 0, s->port[line]))
		engine_fail("port %u waits at vCPU 0, outside its set", s->port[line]);
	s->extra = 1;
}

static void confines_domain_to_1(struct scene *s, uint32_t none)
{
	uint64_t only_1 = 1u << 1;

	(void)none;
	CONTROL(s, assert_int_equal(uc_domain_set_affinity(&s->a->d, &only_1), 0));
	for (uint32_t i = 0; i < 3; i++)
		if (waits_untaken(s->a, 0, s->port[i]))
			engine_fail("port %u waits at vCPU 0, outside its set", s->port[i]);
}

static void follows(struct scene *s, uint32_t policy)
{
	CONTROL(s, uc_domain_set_policy(&s->a->d, (enum uc_policy)policy));
	CONTROL(s, uc_vcpu_handover(&s->a->vcpus[0]));
}

/* ---- a CPU that goes ---- */

static void drops(struct machine *m, uint32_t v, uint32_t port)
{
	if (v != 1) {
		clears(m, v, port);
		return;
	}
	engine_fail("Dropping pending event for port %u", port);
}

/* The lines went to vCPU 1, which runs; it has an IPI only. */
static void with_vcpu_1_going(struct scene *s)
{
	with_follow(s);
	only_runs(s, 1);
	raises(s, 1);
	s->a->on_handle = drops;
}

/*
 * Linux on another CPU, when CPU 1 has stopped: its per-CPU channels are closed, then its queues
 * dropped.
 */
static void goes_offline(struct scene *s, uint32_t v)
{
	CONTROL(s, assert_int_equal(uc_close(&s->a->d, 1 + v), 0));
	consume(s->a, v, __atomic_exchange_n(&control_of(s->a, v)->ready.raw, 0, __ATOMIC_SEQ_CST));
}

/* ---- set-up ---- */

static void with_no_page(struct scene *s)
{
	start_fifo(s->a, 0);
	with_lines(s);
}

static void with_no_control(struct scene *s)
{
	start_2l(s->a);
	start_control(s->a, 1);
	add_page(s->a);
	with_lines(s);
}

static void with_no_shared_info(struct scene *s)
{
	with_lines(s);
}

static void adds_page(struct scene *s, uint32_t none)
{
	(void)none;
	CONTROL(s, assert_int_equal(add_page(s->a), 0));
}

/* The guest's own part of start_control() comes first: an upcall may come at once. */
static void adds_control(struct scene *s, uint32_t v)
{
	s->a->guest.fifo = true;
	s->a->gv[v].control = control_of(s->a, v);
	CONTROL(s, assert_int_equal(uc_init_control(&s->a->d, v, FRAME_CONTROL + v, 0), 0));
}

static void goes_fifo(struct scene *s, uint32_t none)
{
	for (uint32_t v = 0; v < VCPUS; v++)
		adds_control(s, v);
	adds_page(s, none);
}

static void maps_shared_info(struct scene *s, uint32_t none)
{
	(void)none;
	s->a->guest.shared_info = shared_of(s->a);
	for (uint32_t i = 0; i < VCPUS; i++)
		s->a->gv[i].info = &shared_of(s->a)->vcpu_info[i];
	CONTROL(s, assert_int_equal(uc_domain_set_shared_info(&s->a->d, FRAME_SHARED), 0));
}

/* VCPUOP_register_vcpu_info, by the vCPU itself. */
static void vcpu_registers(struct scene *s, uint32_t v)
{
	CONTROL(s, assert_int_equal(uc_vcpu_set_info(&s->a->vcpus[v], FRAME_INFO, 0), 0));
	s->a->gv[v].info = frame_of(s->a, FRAME_INFO);
	vcpu(s, v);
}

/* ---- end points, domains ---- */

static void heard(struct uc_endpoint *e)
{
	if (scene_get()->extra)
		engine_fail("notify() runs after the end point was closed");
	((struct line *)e)->notified++;
}

static void with_ears(struct scene *s)
{
	with_settled(s);
	s->l[0].e.notify = heard;
}

static void guest_sends(struct scene *s, uint32_t line)
{
	BOUNDED(RAISE_WORDS, uc_send(&s->a->d, s->port[line]));
}

static void closes_endpoint(struct scene *s, uint32_t line)
{
	CONTROL(s, uc_endpoint_close(&s->l[line].e));
	s->extra = 1;
	s->seen[line] = s->sent[line];
}

static void guest_closes_heard(struct scene *s, uint32_t line)
{
	closes(s, line);
	s->extra = 1;
}

static void with_pair(struct scene *s)
{
	with_settled(s);
	start_fifo(s->b, 1);
	s->hers = open_pair(s->b, s->a, &s->extra);
}

static void with_unbound(struct scene *s)
{
	with_settled(s);
	start_fifo(s->b, 1);
	assert_int_equal(uc_alloc_unbound(&s->b->d, ID_A, &s->hers), 0);
}

static void b_sends(struct scene *s, uint32_t none)
{
	(void)none;
	BOUNDED(RAISE_WORDS, uc_send(&s->b->d, s->hers));
}

static void a_closes(struct scene *s, uint32_t none)
{
	(void)none;
	CONTROL(s, uc_close(&s->a->d, s->extra));
}

static void b_closes(struct scene *s, uint32_t none)
{
	(void)none;
	CONTROL(s, uc_close(&s->b->d, s->hers));
}

static void a_binds(struct scene *s, uint32_t none)
{
	(void)none;
	CONTROL(s, s->rc = uc_bind_interdomain(&s->a->d, ID_B, s->hers, &s->extra));
}

static void a_was_told(struct scene *s)
{
	assert_int_equal(s->rc, 0);
	assert_true(times_handled(s->a, s->extra) > 0);
}

static void with_timer(struct scene *s)
{
	with_settled(s);
	assert_int_equal(uc_bind_virq(&s->a->d, VIRQ_TIMER, 1, &s->extra), 0);
}

static void timer_fires(struct scene *s, uint32_t v)
{
	BOUNDED(RAISE_WORDS, uc_virq_raise(&s->a->vcpus[v], VIRQ_TIMER));
}

static void rebinds_timer(struct scene *s, uint32_t v)
{
	s->uncertain = 1;
	CONTROL(s, assert_int_equal(uc_close(&s->a->d, s->extra), 0));
	CONTROL(s, assert_int_equal(uc_bind_virq(&s->a->d, VIRQ_TIMER, v, &s->extra), 0));
}

#define SENDER(line)                                                                               \
	{                                                                                          \
		"sender", raises, line                                                             \
	}
#define VCPU(v)                                                                                    \
	{                                                                                          \
		"vcpu" #v, vcpu, v, true                                                           \
	}

const struct scenario scenarios_control[] = {
	{"close-reopen",
	 "a raise, and the port's close and next life",
	 with_settled,
	 {{"sender", raises_late, 0}, {"guest", reopens, 0}, VCPU(0), VCPU(1)},
	 next_comes_on_1,
	 2},
	{"close-reopen-two-level",
	 "the same on the old ABI",
	 with_2l,
	 {{"sender", raises_late, 0}, {"guest", closes, 0}, SENDER(1), VCPU(0)},
	 .preemptions = 2},
	{"bind-vcpu",
	 "a port changes vCPUs while it is raised",
	 with_settled,
	 {SENDER(0), {"guest", binds_to_1, 0}, VCPU(0), VCPU(1)},
	 next_of_0_comes_on_1,
	 3},
	{"bind-vcpu-two",
	 "two senders, one of which moves the port for the other",
	 with_settled,
	 {SENDER(0), SENDER(0), {"guest", binds_to_1, 0}, VCPU(1)},
	 .preemptions = 2},
	{"bind-vcpu-tail",
	 "a port changes vCPUs, another comes behind it",
	 with_settled,
	 {SENDER(0), SENDER(1), {"guest", binds_to_1, 0}, VCPU(0), VCPU(1)},
	 .preemptions = 1},
	{"bind-vcpu-parked",
	 "from a vCPU without a control block to one with",
	 with_no_control,
	 {SENDER(0), {"guest", binds_to_1, 0}, VCPU(1)},
	 .preemptions = 3},
	{"priority",
	 "a port changes queues while it is raised",
	 with_settled,
	 {SENDER(0), SENDER(1), {"guest", changes_priority, 0}, VCPU(0)},
	 .preemptions = 2},
	{"priority-flaps",
	 "a port changes queues all the time: no raise is given up",
	 with_settled,
	 {SENDER(0), {"guest", flaps_priority, 0}, VCPU(0)},
	 .preemptions = 3},
	{"affinity",
	 "a port's set changes while it is raised and waits",
	 with_waiting,
	 {SENDER(0), {"host", confines_to_1, 0}, VCPU(0), VCPU(1)},
	 .preemptions = 1},
	{"affinity-domain",
	 "the domain's set changes while a port is raised",
	 with_waiting,
	 {SENDER(2), {"host", confines_domain_to_1}, VCPU(0), VCPU(1)},
	 .preemptions = 1},
	{"policy",
	 "the policy changes, and what waits is handed over",
	 with_waiting,
	 {SENDER(0), {"host", follows, UC_POLICY_ROUND_ROBIN}, VCPU(0), VCPU(1), VCPU(2)},
	 .preemptions = 1},
	{"offline",
	 "a CPU's last port is closed while an event goes there",
	 with_vcpu_1_going,
	 {SENDER(0), {"guest", goes_offline, 1}, VCPU(0)},
	 .preemptions = 2},
	{"expand-array",
	 "a raise before and while the event word gets its page",
	 with_no_page,
	 {SENDER(0), SENDER(1), {"guest", adds_page}, VCPU(0)},
	 .preemptions = 2},
	{"init-control",
	 "a raise before and while the vCPU gets its control block",
	 with_no_control,
	 {SENDER(0), {"guest", adds_control, 0}, VCPU(0)},
	 .preemptions = 3},
	{"to-fifo",
	 "raises while the guest leaves the 2-level ABI",
	 with_2l,
	 {SENDER(0), {"guest", goes_fifo}},
	 .preemptions = 3},
	{"shared-info",
	 "raises while shared_info is mapped",
	 with_no_shared_info,
	 {SENDER(0), SENDER(1), {"guest", maps_shared_info}},
	 .preemptions = 2},
	{"vcpu-info",
	 "raises while the vCPU registers its vcpu_info",
	 with_settled,
	 {SENDER(0), SENDER(1), {"vcpu0", vcpu_registers, 0, true}},
	 .preemptions = 2},
	{"endpoint-close",
	 "the guest sends while the back end closes",
	 with_ears,
	 {{"guest", guest_sends, 0}, {"host", closes_endpoint, 0}, SENDER(0), VCPU(0)},
	 .preemptions = 2},
	{"port-close",
	 "the guest sends on one vCPU while it closes on another",
	 with_ears,
	 {{"guest", guest_sends, 0}, {"guest", guest_closes_heard, 0}},
	 .preemptions = 3},
	{"pair-close",
	 "b sends while a closes its end",
	 with_pair,
	 {{"b", b_sends}, {"a", a_closes}, VCPU(0)},
	 .preemptions = 3},
	{"pair-close-both",
	 "both ends are closed at once",
	 with_pair,
	 {{"b", b_closes}, {"a", a_closes}, VCPU(0)},
	 .preemptions = 3},
	{"pair-bind",
	 "b sends while a binds",
	 with_unbound,
	 {{"b", b_sends}, {"a", a_binds}, VCPU(0)},
	 a_was_told,
	 3},
	{"timer",
	 "a timer fires while its port is closed and bound again",
	 with_timer,
	 {{"timer", timer_fires, 1}, {"guest", rebinds_timer, 1}, VCPU(1)},
	 .preemptions = 3},
	{0},
};
