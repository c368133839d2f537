/* SPDX-License-Identifier: MIT */
/*
 * EVTCHNOP_reset, and the boot of another kernel after it, against what goes on meanwhile; physical
 * interrupts. The lines are the host's own: a reset leaves them open, and loses none of their
 * events.
 */
#include <upcall/route.h>
#include <xen/errno.h>

#include "acts.h"
#include "scenarios.h"

#define EDGE		 2u
#define LEVEL		 3u
#define CONTROL(s, call) BOUNDED(CONTROL_WORDS(uc_ports_valid(&(s)->a->d)), call)

/* What was linked and not taken is raised again: counted once, handled once, linked twice. */
static void resets(struct scene *s, uint32_t none)
{
	(void)none;
	s->uncertain = LINES;
	s->was_reset = true;
	CONTROL(s, assert_int_equal(reset_all(s->a), 0));
}

static void boots_again(struct scene *s, uint32_t none)
{
	resets(s, none);
	for (uint32_t v = 0; v < VCPUS; v++)
		CONTROL(s, start_control(s->a, v));
	CONTROL(s, assert_int_equal(add_page(s->a), 0));
}

/* It stays, on whichever ABI, and its next raise comes on vCPU 0. */
static void all_lines_work(struct scene *s)
{
	for (uint32_t i = 0; i < 3; i++) {
		s->a->nr_log = 0;
		raises(s, i);
		run_all(s->a);
		assert_int_equal(times_handled(s->a, s->port[i]), 1);
	}
	assert_int_equal(s->a->astray, 0);
}

static void with_moved(struct scene *s)
{
	with_settled(s);
	uc_set_priority(&s->a->d, s->port[0], 3);
	uc_bind_vcpu(&s->a->d, s->port[1], 1);
}

static void with_masked(struct scene *s)
{
	with_settled(s);
	uc_guest_mask(&s->a->guest, s->port[0]);
	raises(s, 0);
}

static void with_pair(struct scene *s)
{
	with_settled(s);
	start_fifo(s->b, 1);
	s->hers = open_pair(s->b, s->a, &s->extra);
}

static void unmasks(struct scene *s, uint32_t line)
{
	BOUNDED(UNMASK_WORDS, uc_unmask(&s->a->d, s->port[line]));
}

/* In the 2-level ABI it may be masked still: the guest unmasks what it wants, after its boot. */
static void unmasked_lines_work(struct scene *s)
{
	unmasks(s, 0);
	all_lines_work(s);
}

static void b_sends(struct scene *s, uint32_t none)
{
	(void)none;
	BOUNDED(RAISE_WORDS, uc_send(&s->b->d, s->hers));
}

/* XSA-505: the ABI is the one or the other, and the page is refused or in its array. */
static void expands(struct scene *s, uint32_t none)
{
	(void)none;
	CONTROL(s, s->rc = uc_expand_array(&s->a->d, FRAME_EVENTS + 1));
	assert_true(s->rc == 0 || s->rc == -XEN_EOPNOTSUPP);
}

static void no_page_is_left(struct scene *s)
{
	assert_false(uc_domain_is_fifo(&s->a->d));
	assert_int_equal(s->a->d.nr_words, 0);
	assert_int_equal(s->a->maps[FRAME_EVENTS] + s->a->maps[FRAME_EVENTS + 1], 0);
	all_lines_work(s);
}

static void polls(struct scene *s, uint32_t line)
{
	BOUNDED(POLL_WORDS(1), s->rc = uc_poll_begin(&s->a->vcpus[3], &s->port[line], 1));
	if (!s->rc)
		engine_wait(&s->a->wakes[3], 0);
	if (!s->rc)
		uc_poll_end(&s->a->vcpus[3]);
}

static void resets_too(struct scene *s, uint32_t none)
{
	int rc;

	(void)none;
	s->was_reset = true;
	s->uncertain = LINES;
	CONTROL(s, rc = uc_reset(&s->a->d, false));
	assert_true(rc == 0 || rc == -XEN_EBUSY);
	if (rc)
		return;
	s->a->guest.fifo = false;
	for (uint32_t v = 0; v < VCPUS; v++)
		s->a->gv[v].control = NULL;
}

static void either_did(struct scene *s)
{
	assert_false(uc_domain_is_fifo(&s->a->d));
	assert_int_equal(s->a->d.reset_next, 0);
}

/* ---- physical interrupts ---- */

/* The guest serves the device, which lowers its line, and says so. */
static void serves(struct machine *m, uint32_t v, uint32_t port)
{
	clears(m, v, port);
	if (port != scene_get()->extra)
		return;
	assert_int_equal(uc_pirq_set_level(&m->d, LEVEL, false), 0);
	assert_int_equal(uc_pirq_eoi(&m->d, LEVEL), 0);
}

static void with_level(struct scene *s)
{
	with_settled(s);
	s->a->on_handle = serves;
	assert_int_equal(uc_bind_pirq(&s->a->d, LEVEL, &s->extra), 0);
}

static void with_edge(struct scene *s)
{
	with_settled(s);
	assert_int_equal(uc_bind_pirq(&s->a->d, EDGE, &s->extra), 0);
}

static void asserts(struct scene *s, uint32_t none)
{
	(void)none;
	BOUNDED(RAISE_WORDS, uc_pirq_set_level(&s->a->d, LEVEL, true));
}

static void asserts_twice(struct scene *s, uint32_t none)
{
	asserts(s, none);
	asserts(s, none);
}

/* A line that is asserted is in service, and then it has been delivered and will be served. */
static void line_was_served(struct scene *s)
{
	assert_false(s->a->pirqs[LEVEL].asserted);
	assert_false(s->a->pirqs[LEVEL].in_service);
	assert_true(times_handled(s->a, s->extra) > 0);
}

static void fires(struct scene *s, uint32_t none)
{
	(void)none;
	BOUNDED(RAISE_WORDS, uc_pirq_raise(&s->a->d, EDGE));
}

/* The pirq is freed, and its number is another's: no edge comes there. */
static void unbinds(struct scene *s, uint32_t none)
{
	uint32_t port = s->extra;

	(void)none;
	CONTROL(s, assert_int_equal(uc_close(&s->a->d, port), 0));
	s->extra = 0;
	s->uncertain = 0;
	s->l[3].e.notify = s->l[0].e.notify;
	CONTROL(s, assert_int_equal(uc_endpoint_open(&s->l[3].e, &s->a->d), 0));
	s->port[3] = s->l[3].e.port;
	s->a->nr_log = 0;
}

/* xsa e301a706eb: what was unbound is linked to nobody. */
static void no_edge_came_late(struct scene *s)
{
	assert_int_equal(s->a->pirqs[EDGE].port, 0);
	assert_int_equal(s->a->ports[s->port[3]].events, 0);
}

#define SENDER(line)                                                                               \
	{                                                                                          \
		"sender", raises, line                                                             \
	}

const struct scenario scenarios_reset[] = {
	{"reset",
	 "a raise, and the way back to the 2-level ABI",
	 with_settled,
	 {SENDER(0), {"guest", resets}},
	 all_lines_work,
	 3},
	{"reset-moving",
	 "two raises of ports that change queues, and a reset",
	 with_moved,
	 {SENDER(0), SENDER(1), {"guest", resets}},
	 all_lines_work,
	 2},
	{"kexec",
	 "a raise, a reset, and the boot of another FIFO guest",
	 with_settled,
	 {SENDER(0), {"guest", boots_again}},
	 all_lines_work,
	 3},
	{"kexec-moving",
	 "two raises of ports that change queues, a reset, another boot",
	 with_moved,
	 {SENDER(0), SENDER(1), {"guest", boots_again}},
	 all_lines_work,
	 2},
	{"kexec-hand-over",
	 "what waits moves on while the guest boots again",
	 with_waiting,
	 {{"agent", hands_over, 0}, SENDER(2), {"guest", boots_again}},
	 .preemptions = 1},
	{"reset-unmask",
	 "EVTCHNOP_unmask and a reset",
	 with_masked,
	 {{"guest", unmasks, 0}, {"guest", resets}, SENDER(1)},
	 unmasked_lines_work,
	 2},
	{"reset-poll",
	 "SCHEDOP_poll, a raise and a reset",
	 with_settled,
	 {{"poller", polls, 0}, {"guest", resets}, SENDER(0)},
	 .preemptions = 2},
	{"reset-expand",
	 "EVTCHNOP_expand_array and a reset (XSA-505)",
	 with_settled,
	 {{"guest", expands}, {"guest", resets}, SENDER(0)},
	 no_page_is_left,
	 2},
	{"reset-pair",
	 "the peer sends while its channel is reset away",
	 with_pair,
	 {{"b", b_sends}, {"guest", resets}, SENDER(0)},
	 .preemptions = 2},
	{"reset-twice",
	 "two vCPUs reset at once (XSA-344)",
	 with_settled,
	 {{"guest", resets_too}, {"guest", resets_too}, SENDER(0)},
	 either_did,
	 2},
	{"pirq-level",
	 "a line is asserted, served and asserted again",
	 with_level,
	 {{"device", asserts_twice}, {"device", asserts}, {"vcpu0", vcpu, 0, true}},
	 line_was_served,
	 3},
	{"pirq-close",
	 "an edge while the pirq is unbound and the port reused",
	 with_edge,
	 {{"device", fires}, {"guest", unbinds}, {"vcpu0", vcpu, 0, true}},
	 no_edge_came_late,
	 3},
	{0},
};
