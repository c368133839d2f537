/* SPDX-License-Identifier: MIT */
#include "vmm/trace_match.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/trace_packet.h"

/* Who has a tag: a request by its number, or one of these. */
enum { NOBODY = -1, GUEST = -2 };

struct owner {
	uint32_t tag; /* 0: unused */
	uint32_t machine;
	int64_t request;
};

/* Records looked at for the guest's notification; a window longer than that is not certain. */
#define SEND_WINDOW 100000

struct matcher {
	const struct uc_trace_log *log;
	struct uc_trace_requests *requests;
	struct owner *owners; /* a hash table, twice as large as it must be; nothing leaves it */
	size_t mask;
	uint32_t machine;
	int64_t *raising; /* per lane: the request that is being raised, or NOBODY */
};

static struct owner *find(struct matcher *m, uint32_t tag)
{
	size_t i = tag & m->mask;

	while (m->owners[i].tag && m->owners[i].tag != tag)
		i = (i + 1) & m->mask;
	/* What the machine before a restart did not answer, it never will. */
	if (!m->owners[i].tag || m->owners[i].machine != m->machine)
		m->owners[i] = (struct owner){.tag = tag, .machine = m->machine, .request = NOBODY};
	return &m->owners[i];
}

static struct uc_trace_request *request_of(struct matcher *m, uint32_t tag)
{
	struct owner *owner = tag ? find(m, tag) : NULL;

	return owner && owner->request >= 0 ? &m->requests->all[owner->request] : NULL;
}

static void on_tap_read(struct matcher *m, size_t at)
{
	const struct uc_trace_seen *r = &m->log->records[at];
	struct owner *owner = r->tag ? find(m, r->tag) : NULL;

	if (!owner)
		return;
	if (owner->request == GUEST) { /* the answer to what the guest asked */
		owner->request = NOBODY;
		return;
	}
	if (owner->request >= 0) {
		m->requests->all[owner->request].ambiguous = true;
		return;
	}
	owner->request = (int64_t)m->requests->nr;
	m->requests->all[m->requests->nr++] = (struct uc_trace_request){
		.tag = r->tag, .port = r->port, .first = at, .last = at, .read_ns = r->time_ns};
}

static void on_raise(struct matcher *m, size_t at)
{
	const struct uc_trace_seen *r = &m->log->records[at];
	struct uc_trace_request *q = request_of(m, r->tag);

	m->raising[r->lane] = q ? q - m->requests->all : NOBODY;
	if (!q || q->raise_ns)
		return;
	q->raise_ns = r->time_ns;
	q->states = r->arg;
	q->port = r->port;
	q->last = at;
}

/* The kick that a raise causes is recorded by its thread, between the raise's two records. */
static void on_kick(struct matcher *m, size_t at)
{
	const struct uc_trace_seen *r = &m->log->records[at];
	struct uc_trace_request *q;

	if (m->raising[r->lane] < 0)
		return;
	q = &m->requests->all[m->raising[r->lane]];
	if (!q->kick_ns)
		q->kick_ns = r->time_ns;
	q->last = at;
}

static void on_raised(struct matcher *m, size_t at)
{
	const struct uc_trace_seen *r = &m->log->records[at];
	int64_t i = m->raising[r->lane];

	m->raising[r->lane] = NOBODY;
	if (i < 0)
		return;
	m->requests->all[i].vcpu = r->vcpu;
	m->requests->all[i].last = at;
}

/* When the guest notified of the answer that was just taken; 0 unless there was exactly one. */
static uint64_t find_send(const struct matcher *m, const struct uc_trace_request *q, size_t taken)
{
	uint32_t port = uc_trace_tx_port(m->log->records[taken].arg);
	uint64_t sent_ns = 0;

	for (size_t i = taken; i > q->first; i--) {
		const struct uc_trace_seen *r = &m->log->records[i];

		if (r->time_ns < q->raise_ns)
			break;
		if (taken - i > SEND_WINDOW)
			return 0;
		if (r->kind != UC_TRACE_SEND || r->port != port)
			continue;
		if (sent_ns)
			return 0;
		sent_ns = r->time_ns;
	}
	return sent_ns;
}

static void on_tx_taken(struct matcher *m, size_t at)
{
	const struct uc_trace_seen *r = &m->log->records[at];
	struct owner *owner = r->tag ? find(m, r->tag) : NULL;
	struct uc_trace_request *q;

	if (!owner)
		return;
	if (owner->request < 0) {
		owner->request = GUEST;
		return;
	}
	q = &m->requests->all[owner->request];
	if (q->taken_ns)
		return;
	q->taken_ns = r->time_ns;
	q->last = at;
	if (q->raise_ns)
		q->sent_ns = find_send(m, q, at);
}

static void on_tap_write(struct matcher *m, size_t at)
{
	const struct uc_trace_seen *r = &m->log->records[at];
	struct uc_trace_request *q = request_of(m, r->tag);

	if (!q || !q->taken_ns)
		return;
	q->written_ns = r->time_ns;
	q->last = at;
	find(m, r->tag)->request = NOBODY;
}

static void on_start(struct matcher *m, size_t at)
{
	(void)at;
	m->machine++;
	for (uint32_t i = 0; i < m->log->header.nr_lanes; i++)
		m->raising[i] = NOBODY;
}

static void (*const handlers[UC_TRACE_KINDS])(struct matcher *, size_t) = {
	[UC_TRACE_START] = on_start,	     [UC_TRACE_TAP_READ] = on_tap_read,
	[UC_TRACE_RAISE] = on_raise,	     [UC_TRACE_KICK] = on_kick,
	[UC_TRACE_RAISED] = on_raised,	     [UC_TRACE_TX_TAKEN] = on_tx_taken,
	[UC_TRACE_TAP_WRITE] = on_tap_write,
};

/* Room for every tagged packet. */
static int prepare(struct matcher *m)
{
	const struct uc_trace_log *log = m->log;
	size_t reads = 0, tagged = 0, slots = 2;

	for (size_t i = 0; i < log->nr_records; i++) {
		reads += log->records[i].kind == UC_TRACE_TAP_READ && log->records[i].tag;
		tagged += log->records[i].tag != 0;
	}
	while (slots < 2 * (tagged + 1))
		slots *= 2;
	m->mask = slots - 1;
	m->owners = calloc(slots, sizeof(*m->owners));
	m->raising = calloc(log->header.nr_lanes, sizeof(*m->raising));
	m->requests->all = calloc(reads + 1, sizeof(*m->requests->all));
	if (!m->owners || !m->raising || !m->requests->all)
		return -ENOMEM;
	on_start(m, 0);
	return 0;
}

static void sum_up(struct uc_trace_requests *requests, uint32_t port)
{
	size_t n = 0;

	for (size_t i = 0; i < requests->nr; i++) {
		const struct uc_trace_request *q = &requests->all[i];

		if (port && q->port != port)
			continue;
		requests->ambiguous += q->ambiguous;
		requests->answered += !q->ambiguous && q->written_ns;
		requests->unanswered += !q->ambiguous && !q->written_ns;
		requests->all[n++] = *q;
	}
	requests->nr = n;
}

int uc_trace_match(struct uc_trace_requests *requests, const struct uc_trace_log *log,
		   uint32_t port)
{
	struct matcher m = {.log = log, .requests = requests};
	int rc;

	*requests = (struct uc_trace_requests){0};
	rc = prepare(&m);
	for (size_t i = 0; !rc && i < log->nr_records; i++)
		if (handlers[log->records[i].kind])
			handlers[log->records[i].kind](&m, i);
	free(m.owners);
	free(m.raising);
	if (rc)
		uc_trace_requests_free(requests);
	else
		sum_up(requests, port);
	return rc;
}

void uc_trace_requests_free(struct uc_trace_requests *requests)
{
	free(requests->all);
	*requests = (struct uc_trace_requests){0};
}

/* ---- stages ---- */

static const struct {
	const char *name, *text;
} stages[UC_TRACE_STAGES] = {
	[UC_TRACE_STAGE_READ] = {"read", "read from the tap -> event raised"},
	[UC_TRACE_STAGE_KICK] = {"kick", "raised -> upcall sent to a vCPU"},
	[UC_TRACE_STAGE_GUEST] = {"guest", "raised -> the guest notifies of its answer"},
	[UC_TRACE_STAGE_PICKUP] = {"pickup", "notified -> answer taken from the ring"},
	[UC_TRACE_STAGE_ANSWER] = {"answer", "raised -> answer taken from the ring"},
	[UC_TRACE_STAGE_WRITE] = {"write", "taken -> written to the tap"},
	[UC_TRACE_STAGE_WHOLE] = {"whole", "read from the tap -> written to the tap"},
};

const char *uc_trace_stage_name(enum uc_trace_stage stage)
{
	return stages[stage].name;
}

const char *uc_trace_stage_text(enum uc_trace_stage stage)
{
	return stages[stage].text;
}

static uint64_t between(uint64_t from_ns, uint64_t to_ns)
{
	if (!from_ns || !to_ns || to_ns < from_ns)
		return 0;
	return to_ns > from_ns ? to_ns - from_ns : 1;
}

uint64_t uc_trace_stage_ns(const struct uc_trace_request *r, enum uc_trace_stage stage)
{
	switch (stage) {
	case UC_TRACE_STAGE_READ:
		return between(r->read_ns, r->raise_ns);
	case UC_TRACE_STAGE_KICK:
		return between(r->raise_ns, r->kick_ns);
	case UC_TRACE_STAGE_GUEST:
		return between(r->raise_ns, r->sent_ns);
	case UC_TRACE_STAGE_PICKUP:
		return between(r->sent_ns, r->taken_ns);
	case UC_TRACE_STAGE_ANSWER:
		return between(r->raise_ns, r->taken_ns);
	case UC_TRACE_STAGE_WRITE:
		return between(r->taken_ns, r->written_ns);
	case UC_TRACE_STAGE_WHOLE:
		return between(r->read_ns, r->written_ns);
	default:
		return 0;
	}
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

uint64_t *uc_trace_stage_times(const struct uc_trace_requests *requests, enum uc_trace_stage stage,
			       size_t *n)
{
	uint64_t *times = calloc(requests->nr + 1, sizeof(*times));

	*n = 0;
	for (size_t i = 0; times && i < requests->nr; i++) {
		const struct uc_trace_request *q = &requests->all[i];
		uint64_t ns = uc_trace_stage_ns(q, stage);

		if (!q->ambiguous && q->written_ns && ns)
			times[(*n)++] = ns;
	}
	if (times)
		qsort(times, *n, sizeof(*times), by_size);
	return times;
}
