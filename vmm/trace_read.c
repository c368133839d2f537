/* SPDX-License-Identifier: MIT */
#include "vmm/trace_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Far above what `run --trace` writes. */
#define FILE_MAX (1ull << 32)

struct file {
	uint8_t *bytes;
	size_t size;
};

/* Copied, not mapped: a file that is cut while we read must not kill us. */
static int slurp(struct file *f, int fd, size_t size)
{
	f->bytes = malloc(size ? size : 1);
	if (!f->bytes)
		return -ENOMEM;
	while (f->size < size) {
		ssize_t n = read(fd, f->bytes + f->size, size - f->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		f->size += (size_t)n;
	}
	return 0;
}

static int read_file(struct file *f, const char *path, struct uc_diag *diag)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;
	struct stat st;

	if (fd < 0)
		return uc_fail(diag, UC_EXIT_USAGE, errno, "%s: %s", path, strerror(errno));
	rc = fstat(fd, &st) ? -errno : 0;
	if (!rc && (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > FILE_MAX))
		rc = -EINVAL;
	if (!rc)
		rc = slurp(f, fd, (size_t)st.st_size);
	close(fd);
	if (rc == -EINVAL)
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "%s is no trace; `upcall run --trace FILE` records one", path);
	if (rc)
		return uc_fail(diag, UC_EXIT_USAGE, -rc, "%s: %s", path, strerror(-rc));
	return 0;
}

/* Sizes that do not overflow anything below. */
static bool is_sane(const struct uc_trace_header *h)
{
	return h->record_bytes == sizeof(struct uc_trace_record) && h->nr_lanes &&
	       h->nr_lanes <= UC_TRACE_LANES_MAX && h->lane_records &&
	       h->lane_records <= 1u << 24 && !(h->lane_records & (h->lane_records - 1)) &&
	       h->nr_vcpus && h->nr_vcpus <= UINT16_MAX;
}

static bool same_kinds(const struct uc_trace_header *h)
{
	if (h->version != UC_TRACE_VERSION || h->nr_kinds != UC_TRACE_KINDS)
		return false;
	for (int i = 0; i < UC_TRACE_KINDS; i++)
		if (strncmp(h->kinds[i], uc_trace_kind_name((enum uc_trace_kind)i),
			    UC_TRACE_NAME_BYTES))
			return false;
	return true;
}

static int check(const struct file *f, struct uc_trace_header *h, const char *path,
		 struct uc_diag *diag)
{
	size_t whole;

	if (f->size < sizeof(h->magic) || memcmp(f->bytes, UC_TRACE_MAGIC, sizeof(h->magic)))
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "%s is no trace; `upcall run --trace FILE` records one", path);
	if (f->size < UC_TRACE_HEADER_BYTES)
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "%s is cut short: %zu bytes, and a trace's head has %u", path,
			       f->size, UC_TRACE_HEADER_BYTES);
	memcpy(h, f->bytes, sizeof(*h));
	h->machine[sizeof(h->machine) - 1] = '\0';
	if (h->byte_order != UC_TRACE_BYTE_ORDER)
		return uc_fail(
			diag, UC_EXIT_USAGE, EINVAL,
			"%s was recorded on a machine of the other byte order; read it there",
			path);
	if (!same_kinds(h))
		return uc_fail(
			diag, UC_EXIT_USAGE, EINVAL,
			"%s was recorded by another version of upcall; read it with that one",
			path);
	if (!is_sane(h))
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "%s is damaged: its head makes no sense", path);
	whole = uc_trace_offset(h, h->nr_lanes);
	if (f->size != whole)
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "%s is %s: %zu bytes, and its head says %zu", path,
			       f->size < whole ? "cut short" : "damaged", f->size, whole);
	return 0;
}

/* ---- records ---- */

static void add(struct uc_trace_log *log, uint32_t lane, uint64_t number,
		const struct uc_trace_record *r)
{
	if (r->seq != (uint32_t)(number + 1) || r->kind == UC_TRACE_NONE ||
	    r->kind >= UC_TRACE_KINDS || r->vcpu >= log->header.nr_vcpus ||
	    r->time_ns < log->header.started_ns) {
		log->unfinished++;
		return;
	}
	log->records[log->nr_records++] = (struct uc_trace_seen){.time_ns = r->time_ns -
									    log->header.started_ns,
								 .arg = r->arg,
								 .port = r->port,
								 .tag = r->tag,
								 .number = (uint32_t)number,
								 .lane = (uint16_t)lane,
								 .vcpu = r->vcpu,
								 .kind = r->kind};
}

/* The lane's records; *from: before this time some may be missing. */
static void add_lane(struct uc_trace_log *log, const struct file *f, uint32_t lane, uint64_t *from)
{
	const struct uc_trace_header *h = &log->header;
	const uint8_t *at = f->bytes + uc_trace_offset(h, lane);
	size_t before = log->nr_records;
	struct uc_trace_lane head;
	uint64_t first;

	memcpy(&head, f->bytes + UC_TRACE_HEADER_BYTES + lane * sizeof(head), sizeof(head));
	first = head.written > h->lane_records ? head.written - h->lane_records : 0;
	log->overwritten += first;
	for (uint64_t n = first; n != head.written; n++) {
		struct uc_trace_record r;

		memcpy(&r, at + (n & (h->lane_records - 1)) * sizeof(r), sizeof(r));
		add(log, lane, n, &r);
	}
	if (first && log->nr_records > before && log->records[before].time_ns > *from)
		*from = log->records[before].time_ns;
}

static int by_time(const void *a, const void *b)
{
	const struct uc_trace_seen *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	if (x->lane != y->lane)
		return x->lane < y->lane ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* Before `from_ns` some threads' records are gone, and half a story is none. */
static void cut(struct uc_trace_log *log, uint64_t from_ns)
{
	size_t n = 0;

	while (n < log->nr_records && log->records[n].time_ns < from_ns)
		n++;
	log->cut = n;
	log->nr_records -= n;
	memmove(log->records, log->records + n, log->nr_records * sizeof(*log->records));
}

int uc_trace_read(struct uc_trace_log *log, const char *path, struct uc_diag *diag)
{
	struct file f = {0};
	uint64_t from_ns = 0;
	int rc = read_file(&f, path, diag);

	*log = (struct uc_trace_log){0};
	if (!rc)
		rc = check(&f, &log->header, path, diag);
	if (!rc) {
		log->records = calloc((size_t)log->header.nr_lanes * log->header.lane_records,
				      sizeof(*log->records));
		if (!log->records)
			rc = uc_fail(diag, UC_EXIT_INTERNAL, ENOMEM, "%s: out of memory", path);
	}
	for (uint32_t lane = 0; !rc && lane < log->header.nr_lanes; lane++)
		add_lane(log, &f, lane, &from_ns);
	free(f.bytes);
	if (rc)
		return rc;
	qsort(log->records, log->nr_records, sizeof(*log->records), by_time);
	cut(log, from_ns);
	return 0;
}

void uc_trace_free(struct uc_trace_log *log)
{
	free(log->records);
	log->records = NULL;
}
