/* SPDX-License-Identifier: MIT */
/* See truth.h. */
#include "truth.h"

#include <string.h>

#include <upcall/route.h>

#include "records.h"

#define PORTS_SEEN 64u

void truth_records(struct scene *s)
{
	const char *wrong = records_check(&s->a->d);

	if (!wrong)
		wrong = records_check(&s->b->d);
	if (wrong)
		engine_fail("private state: %s", wrong);
}

/* Linux is interrupted by the 0 -> 1 edge only. */
static void kicked_for_upcalls(const struct machine *m, const uint32_t *taken)
{
	for (uint32_t v = 0; v < VCPUS; v++)
		if (m->gv[v].info && m->gv[v].info->upcall_pending.raw && m->kicks[v] == taken[v])
			engine_fail("an upcall of vCPU %u without a kick", v);
}

static void list_is_sound(struct machine *m, uint32_t v, uint32_t prio, uint64_t *seen)
{
	uint32_t port = m->gv[v].control->head[prio].raw, last = 0;

	for (; port; port = word(m, port) & UC_FIFO_LINK_MASK) {
		if (port >= PORTS_SEEN || !(word(m, port) & UC_FIFO_LINKED))
			engine_fail("queue %u of vCPU %u goes through port %u, not linked", prio, v,
				    port);
		if (*seen & (1ull << port))
			engine_fail("port %u is in two queues, or in one twice", port);
		*seen |= 1ull << port;
		last = port;
	}
	if (m->vcpus[v].queue[prio].tail != last)
		engine_fail("queue %u of vCPU %u ends at port %u, its tail is %u", prio, v, last,
			    m->vcpus[v].queue[prio].tail);
}

/* Of what no vCPU has taken yet; the vCPUs stand between two upcalls. */
static void lists_are_sound(struct machine *m)
{
	uint64_t seen = 0;

	for (uint32_t v = 0; v < VCPUS; v++)
		for (uint32_t prio = 0; m->gv[v].control && prio < UC_FIFO_QUEUES; prio++)
			if (m->gv[v].control->ready.raw & (1u << prio))
				list_is_sound(m, v, prio, &seen);
	if (!m->guest.nr_words)
		return;
	for (uint32_t port = 1; port < uc_ports_valid(&m->d); port++)
		if ((word(m, port) & UC_FIFO_LINKED) && !(seen & (1ull << port)))
			engine_fail("port %u is linked, and in no queue", port);
}

static void port_is_done(struct scene *s, struct machine *m, uint32_t port)
{
	struct uc_port_info info;

	assert_int_equal(uc_port_info(&m->d, port, &info), 0);
	if (info.kind == UC_PORT_FREE)
		return;
	if (info.linked || (info.pending && !info.masked))
		engine_fail("port %u is lost: nobody will take it", port);
	if (!info.masked && times_handled(m, port) + s->uncertain < info.events)
		engine_fail("port %u was handled %u times, for %lu events", port,
			    times_handled(m, port), (unsigned long)info.events);
}

/* What the guest unlinked at a vCPU is what the library says it left there. */
static void counts_agree(const struct machine *m)
{
	for (uint32_t v = 0; v < VCPUS; v++)
		if (uc_vcpu_delivered(&m->vcpus[v]) != m->unlinked[v])
			engine_fail("vCPU %u unlinked %lu, delivered %lu", v,
				    (unsigned long)m->unlinked[v],
				    (unsigned long)uc_vcpu_delivered(&m->vcpus[v]));
}

/* An IPI is handled on its own vCPU. */
static void per_vcpu_events_stayed(const struct machine *m)
{
	for (uint32_t i = 0; i < m->nr_log; i++) {
		const struct uc_port *p = &m->ports[m->log[i].port];

		if (p->route.policy == UC_ROUTE_PER_VCPU && m->log[i].vcpu != p->route.vcpu)
			engine_fail("port %u of vCPU %u came on vCPU %u", m->log[i].port,
				    p->route.vcpu, m->log[i].vcpu);
	}
}

static void lines_were_seen(struct scene *s)
{
	for (uint32_t i = 0; i < LINES; i++)
		if (s->seen[i] != s->sent[i])
			engine_fail("raise %u of line %u was not seen", s->sent[i], i);
}

void truth_honest(struct scene *s, struct machine *m, const uint32_t *taken)
{
	kicked_for_upcalls(m, taken);
	if (uc_domain_is_fifo(&m->d))
		lists_are_sound(m);
	run_all(m);
	for (uint32_t port = 1; port < uc_ports_valid(&m->d); port++)
		port_is_done(s, m, port);
	if (m->astray)
		engine_fail("the guest came to a word that is not linked");
	if (uc_domain_is_fifo(&m->d) && !(s->was_reset && m == s->a))
		counts_agree(m);
	per_vcpu_events_stayed(m);
	if (m == s->a)
		lines_were_seen(s);
}

static void mend(struct machine *m)
{
	for (uint32_t port = 0; port < PORTS_SEEN / 2; port++)
		word_of(m, port)->raw = 0;
	for (uint32_t v = 0; v < VCPUS; v++) {
		*control_of(m, v) = (struct uc_fifo_control_block){0};
		memset(m->gv[v].head, 0, sizeof(m->gv[v].head));
		if (m->gv[v].info)
			memset((void *)m->gv[v].info, 0, sizeof(*m->gv[v].info));
	}
	memset(shared_of(m)->pending, 0, sizeof(shared_of(m)->pending));
	memset(shared_of(m)->mask, 0, sizeof(shared_of(m)->mask));
	m->nr_log = m->astray = 0;
}

void truth_repair(struct scene *s)
{
	mend(s->a);
	for (uint32_t i = 0; i < LINES; i++) {
		if (!s->l[i].e.domain || uc_endpoint_raise(&s->l[i].e))
			continue;
		run_all(s->a);
		if (!times_handled(s->a, s->l[i].e.port))
			engine_fail("line %u does not work after a repair", i);
	}
	truth_records(s);
	if (s->a->astray)
		engine_fail("a repaired guest came to a word that is not linked");
}

static uint32_t first_time(const struct machine *m, uint32_t port)
{
	for (uint32_t i = 0; i < m->nr_log; i++)
		if (m->log[i].port == port)
			return i;
	return UINT32_MAX;
}

void truth_handled_in_order(struct machine *m, uint32_t first, uint32_t second)
{
	if (first_time(m, first) > first_time(m, second))
		engine_fail("port %u came before port %u", second, first);
}
