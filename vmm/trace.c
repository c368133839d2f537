/* SPDX-License-Identifier: MIT */
/* The recorder: see trace.h. */
#include "vmm/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <xen/xen.h>

#include <xen/event_channel.h>

#include <upcall/route.h>

struct uc_trace {
	struct uc_trace_header *header; /* the mapped file */
	struct uc_trace_lane *lanes;
	size_t bytes;
	uint32_t generation; /* of this one among those of the process */
	uint32_t taken;	     /* threads that got a lane */
	char *path;
};

struct uc_trace *uc_trace_now;

/* A thread's lane; of another generation: it has none yet. */
static __thread struct {
	uint32_t generation, lane;
} mine;

static const char names[UC_TRACE_KINDS][UC_TRACE_NAME_BYTES] = {
	[UC_TRACE_NONE] = "none",	    [UC_TRACE_START] = "start",
	[UC_TRACE_TAP_READ] = "tap-read",   [UC_TRACE_RX_FILLED] = "rx-filled",
	[UC_TRACE_RAISE] = "raise",	    [UC_TRACE_RAISED] = "raised",
	[UC_TRACE_KICK] = "kick",	    [UC_TRACE_ENTER] = "enter",
	[UC_TRACE_EXIT] = "exit",	    [UC_TRACE_SEND] = "send",
	[UC_TRACE_UNMASK] = "unmask",	    [UC_TRACE_TX_TAKEN] = "tx-taken",
	[UC_TRACE_TAP_WRITE] = "tap-write", [UC_TRACE_LOOK] = "look",
	[UC_TRACE_TAKEN] = "taken",	    [UC_TRACE_WAITING] = "waiting",
	[UC_TRACE_HANDOVER] = "hand-over",  [UC_TRACE_ASLEEP] = "asleep",
	[UC_TRACE_AWAKE] = "awake",	    [UC_TRACE_POLICY] = "policy",
	[UC_TRACE_BOOST] = "boost",	    [UC_TRACE_BOOST_END] = "boost-end",
};

const char *uc_trace_kind_name(enum uc_trace_kind kind)
{
	return names[kind];
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- records ---- */

static uint32_t take_lane(struct uc_trace *t)
{
	uint32_t lane = __atomic_fetch_add(&t->taken, 1, __ATOMIC_RELAXED);

	/* A thread that comes when all are taken (after a restart) shares one: see append(). */
	mine.lane = lane % t->header->nr_lanes;
	mine.generation = t->generation;
	if (lane < t->header->nr_lanes)
		prctl(PR_GET_NAME, t->lanes[lane].thread);
	return mine.lane;
}

/*
 * In words, so that a thread that is stopped here while another goes round the whole lane tears no
 * word; `seq` is in the last, which tells that the others are not whole.
 */
static void append(struct uc_trace *t, uint32_t lane, struct uc_trace_record r)
{
	const struct uc_trace_header *h = t->header;
	uint64_t n = __atomic_fetch_add(&t->lanes[lane].written, 1, __ATOMIC_RELAXED);
	uint64_t *to = (uint64_t *)((char *)h + uc_trace_offset(h, lane) +
				    (n & (h->lane_records - 1)) * sizeof(r));
	uint64_t words[4];

	r.seq = (uint32_t)(n + 1);
	memcpy(words, &r, sizeof(r));
	__atomic_store_n(&to[3], 0, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++) /* each after the 0 */
		__atomic_store_n(&to[i], words[i], __ATOMIC_RELEASE);
	__atomic_store_n(&to[3], words[3], __ATOMIC_RELEASE);
}

void uc_trace_put(enum uc_trace_kind kind, uint32_t vcpu, uint32_t port, uint32_t tag, uint64_t arg)
{
	struct uc_trace *t = __atomic_load_n(&uc_trace_now, __ATOMIC_ACQUIRE);

	append(t, mine.generation == t->generation ? mine.lane : take_lane(t),
	       (struct uc_trace_record){.time_ns = now_ns(CLOCK_MONOTONIC),
					.port = port,
					.tag = tag,
					.arg = arg,
					.vcpu = (uint16_t)vcpu,
					.kind = (uint8_t)kind});
}

static uint32_t state_of(const struct uc_vcpu *v)
{
	const struct uc_host *host = v->domain->host;
	uint64_t since;

	return host->ops->run_state ? (uint32_t)host->ops->run_state(host->ctx, v, &since)
				    : UC_VCPU_RUNNING;
}

uint64_t uc_trace_states(struct uc_domain *d)
{
	uint64_t states = 0;

	for (uint32_t i = 0; i < d->nr_vcpus && i < UC_TRACE_STATES; i++) {
		const struct uc_vcpu *v = &d->vcpus[i];

		states |= (uint64_t)(uc_vcpu_is_live(v) ? state_of(v) : UC_TRACE_OFFLINE) << 2 * i;
	}
	return states;
}

void uc_trace_put_raise(const struct uc_endpoint *e, uint32_t tag)
{
	struct uc_domain *d = __atomic_load_n(&e->domain, __ATOMIC_ACQUIRE);

	if (d)
		uc_trace_put(UC_TRACE_RAISE, 0, e->port, tag, uc_trace_states(d));
}

void uc_trace_put_raised(const struct uc_endpoint *e, uint32_t tag)
{
	const struct uc_domain *d = __atomic_load_n(&e->domain, __ATOMIC_ACQUIRE);
	union {
		uint64_t word;
		struct uc_route route;
	} u;

	if (!d || e->port >= d->nr_ports)
		return;
	u.word = __atomic_load_n(&d->ports[e->port].route_word, __ATOMIC_RELAXED);
	uc_trace_put(UC_TRACE_RAISED, u.route.last_vcpu, e->port, tag, 0);
}

void uc_trace_put_kick(const struct uc_vcpu *v)
{
	uc_trace_put(UC_TRACE_KICK, v->id, 0, 0, state_of(v));
}

void uc_trace_put_op(uint32_t vcpu, uint32_t cmd, const void *arg)
{
	const struct evtchn_send *send = arg;
	const struct evtchn_unmask *unmask = arg;

	if (cmd == EVTCHNOP_send)
		uc_trace_put(UC_TRACE_SEND, vcpu, send->port, 0, 0);
	else if (cmd == EVTCHNOP_unmask)
		uc_trace_put(UC_TRACE_UNMASK, vcpu, unmask->port, 0, 0);
}

/* ---- the file ---- */

/* The largest power of two that fits. */
static uint32_t lane_records(const struct uc_trace_config *config)
{
	uint64_t fit = config->file_bytes / config->nr_lanes / sizeof(struct uc_trace_record);
	uint32_t n = 1;

	while (2ull * n <= fit && n < 1u << 24)
		n *= 2;
	return n;
}

static void fill_header(struct uc_trace_header *h, const struct uc_trace_config *config)
{
	*h = (struct uc_trace_header){.magic = UC_TRACE_MAGIC,
				      .byte_order = UC_TRACE_BYTE_ORDER,
				      .version = UC_TRACE_VERSION,
				      .record_bytes = sizeof(struct uc_trace_record),
				      .nr_lanes = config->nr_lanes,
				      .lane_records = lane_records(config),
				      .nr_vcpus = config->nr_vcpus,
				      .started_ns = now_ns(CLOCK_MONOTONIC),
				      .started_real_ns = now_ns(CLOCK_REALTIME),
				      .nr_kinds = UC_TRACE_KINDS};
	snprintf(h->machine, sizeof(h->machine), "%s", config->machine);
	memcpy(h->kinds, names, sizeof(names));
}

/*
 * A new file, in the place of an old one: another machine may be recording to that. All of it is
 * allocated now, so that a full disk is an error here and no SIGBUS in a vCPU's thread.
 */
static int create_file(const char *path, size_t bytes)
{
	struct stat st;
	int fd, rc;

	if (!lstat(path, &st)) {
		if (!S_ISREG(st.st_mode))
			return -EEXIST;
		if (unlink(path))
			return -errno;
	}
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	rc = posix_fallocate(fd, 0, (off_t)bytes);
	if (rc) {
		unlink(path);
		close(fd);
		return -rc;
	}
	return fd;
}

static int map_file(struct uc_trace *t, const char *path, const struct uc_trace_header *header)
{
	int fd, rc = 0;

	t->bytes = uc_trace_offset(header, header->nr_lanes);
	fd = create_file(path, t->bytes);
	if (fd < 0)
		return fd;
	/* Populated here rather than by the first record of each page. */
	t->header = mmap(NULL, t->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (t->header == MAP_FAILED) {
		rc = -errno;
		unlink(path);
	}
	close(fd);
	return rc;
}

static int fail(const struct uc_trace_config *config, int err, struct uc_diag *diag)
{
	const char *path = config->path;

	if (err == EEXIST)
		return uc_fail(diag, UC_EXIT_USAGE, err,
			       "--trace %s: that is there, and is no regular file; name another",
			       path);
	return uc_fail(diag, UC_EXIT_USAGE, err, "--trace %s: cannot create a file of %llu MiB: %s",
		       path, (unsigned long long)config->file_bytes >> 20, strerror(err));
}

int uc_trace_open(const struct uc_trace_config *config, struct uc_diag *diag)
{
	static uint32_t generation;
	struct uc_trace *t = calloc(1, sizeof(*t));
	struct uc_trace_header header;
	int rc = -ENOMEM;

	fill_header(&header, config);
	if (t) {
		t->generation = ++generation;
		t->path = strdup(config->path);
		rc = t->path ? map_file(t, config->path, &header) : -ENOMEM;
	}
	if (rc) {
		if (t)
			free(t->path);
		free(t);
		return fail(config, -rc, diag);
	}
	*t->header = header;
	t->lanes = (struct uc_trace_lane *)((char *)t->header + UC_TRACE_HEADER_BYTES);
	__atomic_store_n(&uc_trace_now, t, __ATOMIC_RELEASE);
	return 0;
}

void uc_trace_close(void)
{
	struct uc_trace *t = uc_trace_now;

	if (!t)
		return;
	__atomic_store_n(&uc_trace_now, NULL, __ATOMIC_RELEASE);
	if (!t->taken)
		unlink(t->path);
	munmap(t->header, t->bytes);
	free(t->path);
	free(t);
}
