/* SPDX-License-Identifier: MIT */
/* The slowest requests of a trace, each as a time line: what happened, and what vCPUs were doing.
 */
#include <stdlib.h>

#include "cli/trace.h"
#include "vmm/trace_packet.h"

#include <upcall/route.h>

/* Events of one time line; the rest is counted. */
#define EVENTS_MAX 60

struct line {
	const struct uc_trace_log *log;
	const struct uc_trace_request *request;
	uint32_t tx_port; /* of the answer's queue */
	json_t *events;
	uint64_t left_out;
	bool any_states;
	uint64_t states; /* last shown */
	bool *involved;	 /* vCPUs that have, or had, the event */
	uint8_t *last;	 /* per vCPU: TAKEN or WAITING, as last shown */
};

/* How far before a request its port's last raise is looked for. */
#define LOOK_BACK 100000

static const char *state_name(uint32_t state)
{
	static const char *const names[] = {"running", "halted", "preempted", "offline"};

	return names[state & 3];
}

/* A letter per vCPU: R, H, P, or - for offline. */
static const char *letters(const struct uc_trace_log *log, uint64_t states,
			   char text[UC_TRACE_STATES + 1])
{
	uint32_t n = log->header.nr_vcpus < UC_TRACE_STATES ? log->header.nr_vcpus
							    : UC_TRACE_STATES;

	for (uint32_t i = 0; i < n; i++)
		text[i] = "RHP-"[uc_trace_state_of(states, i)];
	text[n] = '\0';
	return text;
}

/*
 * Where a hand-over moved to: the vCPUs that its thread kicked since it began. -1: not known, or
 * several.
 */
static int moved_to(const struct line *l, size_t at)
{
	const struct uc_trace_seen *handover = &l->log->records[at];
	int to = -1;

	for (size_t i = at; i-- > l->request->first;) {
		const struct uc_trace_seen *r = &l->log->records[i];

		if (r->lane != handover->lane)
			continue;
		if (r->kind != UC_TRACE_KICK)
			break;
		if (r->vcpu == handover->vcpu || to == r->vcpu)
			continue;
		if (to >= 0)
			return -1;
		to = r->vcpu;
	}
	return to;
}

static json_t *detail_handover(const struct line *l, size_t at)
{
	const struct uc_trace_seen *r = &l->log->records[at];
	int to = moved_to(l, at);

	if (to < 0)
		return json_sprintf("%llu events from vCPU %u", (unsigned long long)r->arg,
				    r->vcpu);
	return json_sprintf("%llu events from vCPU %u to vCPU %d", (unsigned long long)r->arg,
			    r->vcpu, to);
}

static json_t *detail(const struct line *l, size_t at)
{
	const struct uc_trace_seen *r = &l->log->records[at];
	char text[UC_TRACE_STATES + 1];

	switch (r->kind) {
	case UC_TRACE_TAP_READ:
	case UC_TRACE_RX_FILLED:
	case UC_TRACE_TX_TAKEN:
	case UC_TRACE_TAP_WRITE:
		return json_sprintf("%u bytes", uc_trace_packet_len(r->arg));
	case UC_TRACE_RAISE:
		return json_sprintf("port %u; vCPUs %s", r->port, letters(l->log, r->arg, text));
	case UC_TRACE_RAISED:
		return json_sprintf("port %u, for vCPU %u", r->port, r->vcpu);
	case UC_TRACE_KICK:
		return json_sprintf("vCPU %u, %s", r->vcpu, state_name((uint32_t)r->arg));
	case UC_TRACE_SEND:
		return json_sprintf("port %u, by vCPU %u", r->port, r->vcpu);
	case UC_TRACE_LOOK:
		return json_sprintf("vCPUs %s", letters(l->log, r->arg, text));
	case UC_TRACE_TAKEN:
		return json_sprintf("vCPU %u has taken its events", r->vcpu);
	case UC_TRACE_WAITING:
		return json_sprintf("vCPU %u has events that it has not taken", r->vcpu);
	case UC_TRACE_HANDOVER:
		return detail_handover(l, at);
	case UC_TRACE_ASLEEP:
		return json_string("the watcher, until a kick");
	case UC_TRACE_AWAKE:
		return json_string("the watcher");
	case UC_TRACE_BOOST:
		return json_sprintf("vCPU %u, which had %.2f ms of the CPU for it", r->vcpu,
				    (double)r->arg / 1e6);
	case UC_TRACE_BOOST_END:
		return json_sprintf("vCPU %u, after %.2f ms", r->vcpu, (double)r->arg / 1e6);
	case UC_TRACE_POLICY:
		return json_string(r->arg < UC_POLICIES ? uc_policy_name((enum uc_policy)r->arg)
							: "the domain's");
	default:
		return json_string("");
	}
}

/* Who has the event: also after a raise that needed none of its own, it is the last one's. */
static void note_involved(struct line *l, size_t at)
{
	const struct uc_trace_seen *r = &l->log->records[at];
	int to;

	if (r->kind == UC_TRACE_RAISED && r->port == l->request->port) {
		l->involved[r->vcpu] = true;
	} else if (r->kind == UC_TRACE_HANDOVER && l->involved[r->vcpu]) {
		to = moved_to(l, at);
		if (to >= 0)
			l->involved[to] = true;
	}
}

static void find_involved(struct line *l)
{
	size_t first = l->request->first, stop = first > LOOK_BACK ? first - LOOK_BACK : 0;

	for (size_t i = first; i-- > stop;) {
		const struct uc_trace_seen *r = &l->log->records[i];

		if (r->kind == UC_TRACE_RAISED && r->port == l->request->port) {
			l->involved[r->vcpu] = true;
			return;
		}
	}
}

/*
 * Is it part of this request's story? What vCPUs do is, of those that have its event; looks are
 * when a vCPU does something else than before.
 */
static bool is_shown(struct line *l, const struct uc_trace_seen *r)
{
	switch (r->kind) {
	case UC_TRACE_HANDOVER:
	case UC_TRACE_ASLEEP:
	case UC_TRACE_AWAKE:
	case UC_TRACE_POLICY:
	case UC_TRACE_BOOST:
	case UC_TRACE_BOOST_END:
		return true;
	case UC_TRACE_KICK: /* the raise's own, too: it comes before RAISED */
		return l->involved[r->vcpu] || r->time_ns == l->request->kick_ns;
	case UC_TRACE_TAKEN:
	case UC_TRACE_WAITING:
		if (!l->involved[r->vcpu] || l->last[r->vcpu] == r->kind)
			return false;
		l->last[r->vcpu] = r->kind;
		return true;
	case UC_TRACE_SEND:
		return r->port == l->tx_port || r->port == l->request->port;
	case UC_TRACE_LOOK:
		return !l->any_states || l->states != r->arg;
	default:
		return r->tag == l->request->tag;
	}
}

static void add_event(struct line *l, size_t at)
{
	const struct uc_trace_seen *r = &l->log->records[at];

	note_involved(l, at);
	if (!is_shown(l, r))
		return;
	if (r->kind == UC_TRACE_LOOK || r->kind == UC_TRACE_RAISE) {
		l->states = r->arg;
		l->any_states = true;
	}
	/* The end is always shown: the answer is there. */
	if (json_array_size(l->events) >= EVENTS_MAX && r->tag != l->request->tag) {
		l->left_out++;
		return;
	}
	json_array_append_new(l->events,
			      json_pack("{sf ss so}", "at_us",
					(double)(r->time_ns - l->request->read_ns) / 1000, "event",
					uc_trace_kind_name((enum uc_trace_kind)r->kind), "detail",
					detail(l, at)));
}

/* ---- what each vCPU did meanwhile ---- */

struct doing {
	uint32_t seen[4]; /* by state, at raises and looks */
	uint32_t exits;
	uint64_t left_ns;    /* since when it is outside KVM_RUN; 0: it is inside, or unknown */
	uint64_t outside_ns; /* in all */
};

static void note(struct doing *doing, const struct uc_trace_log *log, const struct uc_trace_seen *r)
{
	struct doing *d = &doing[r->vcpu];

	if (r->kind == UC_TRACE_RAISE || r->kind == UC_TRACE_LOOK) {
		for (uint32_t i = 0; i < log->header.nr_vcpus && i < UC_TRACE_STATES; i++)
			doing[i].seen[uc_trace_state_of(r->arg, i)]++;
	} else if (r->kind == UC_TRACE_EXIT) {
		d->exits++;
		d->left_ns = r->time_ns;
	} else if (r->kind == UC_TRACE_ENTER && d->left_ns) {
		d->outside_ns += r->time_ns - d->left_ns;
		d->left_ns = 0;
	}
}

static json_t *vcpus(const struct uc_trace_log *log, const struct uc_trace_request *q)
{
	struct doing *doing = calloc(log->header.nr_vcpus, sizeof(*doing));
	json_t *rows = json_array();

	for (size_t i = q->first; doing && i <= q->last; i++)
		note(doing, log, &log->records[i]);
	for (uint32_t i = 0; doing && i < log->header.nr_vcpus; i++) {
		const struct doing *d = &doing[i];

		json_array_append_new(
			rows, json_pack("{si si si si si si sf}", "vcpu", (int)i, "seen_running",
					(int)d->seen[UC_VCPU_RUNNING], "seen_halted",
					(int)d->seen[UC_VCPU_BLOCKED], "seen_preempted",
					(int)d->seen[UC_VCPU_PREEMPTED], "seen_offline",
					(int)d->seen[UC_TRACE_OFFLINE], "exits", (int)d->exits,
					"outside_us", (double)d->outside_ns / 1000));
	}
	free(doing);
	return rows;
}

/* A watcher that did not look could not help; its thread waits for a CPU as vCPUs do. */
static json_t *watcher(const struct uc_trace_log *log, const struct uc_trace_request *q)
{
	uint64_t last_ns = q->read_ns, longest_ns = 0;
	json_int_t looks = 0;

	for (size_t i = q->first; i <= q->last; i++) {
		const struct uc_trace_seen *r = &log->records[i];

		if (r->kind != UC_TRACE_LOOK)
			continue;
		looks++;
		longest_ns = r->time_ns - last_ns > longest_ns ? r->time_ns - last_ns : longest_ns;
		last_ns = r->time_ns;
	}
	return json_pack("{sI sf}", "looks", looks, "longest_gap_us", (double)longest_ns / 1000);
}

/* ---- one request ---- */

static uint32_t answer_port(const struct uc_trace_log *log, const struct uc_trace_request *q)
{
	for (size_t i = q->first; i <= q->last; i++)
		if (log->records[i].kind == UC_TRACE_TX_TAKEN && log->records[i].tag == q->tag)
			return uc_trace_tx_port(log->records[i].arg);
	return 0;
}

static json_t *stage_times(const struct uc_trace_request *q)
{
	json_t *object = json_object();

	for (int i = 0; i < UC_TRACE_STAGES; i++) {
		uint64_t ns = uc_trace_stage_ns(q, (enum uc_trace_stage)i);

		json_object_set_new(object, uc_trace_stage_name((enum uc_trace_stage)i),
				    ns ? json_real((double)ns / 1000) : json_null());
	}
	return object;
}

static json_t *one(const struct uc_trace_log *log, const struct uc_trace_request *q)
{
	struct line l = {
		.log = log, .request = q, .tx_port = answer_port(log, q), .events = json_array()};

	l.involved = calloc(log->header.nr_vcpus, sizeof(*l.involved));
	l.last = calloc(log->header.nr_vcpus, sizeof(*l.last));
	if (l.involved && l.last)
		find_involved(&l);
	for (size_t i = q->first; l.involved && l.last && i <= q->last; i++)
		add_event(&l, i);
	free(l.involved);
	free(l.last);
	return json_pack("{sf so so sI so so}", "at_s", (double)q->read_ns / 1e9, "stages_us",
			 stage_times(q), "events", l.events, "left_out", (json_int_t)l.left_out,
			 "vcpus", vcpus(log, q), "watcher", watcher(log, q));
}

static int by_whole(const void *a, const void *b)
{
	uint64_t x = uc_trace_stage_ns(*(struct uc_trace_request *const *)a, UC_TRACE_STAGE_WHOLE);
	uint64_t y = uc_trace_stage_ns(*(struct uc_trace_request *const *)b, UC_TRACE_STAGE_WHOLE);

	return x < y ? 1 : x > y ? -1 : 0;
}

json_t *uc_trace_slowest(const struct uc_trace_log *log, const struct uc_trace_requests *requests,
			 size_t n)
{
	const struct uc_trace_request **order = calloc(requests->nr + 1,
						       sizeof(struct uc_trace_request *));
	json_t *rows = json_array();
	size_t answered = 0;

	for (size_t i = 0; order && i < requests->nr; i++)
		if (!requests->all[i].ambiguous && requests->all[i].written_ns)
			order[answered++] = &requests->all[i];
	if (order)
		qsort(order, answered, sizeof(*order), by_whole);
	for (size_t i = 0; order && i < answered && i < n; i++)
		json_array_append_new(rows, one(log, order[i]));
	free(order);
	return rows;
}
