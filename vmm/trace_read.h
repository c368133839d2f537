/* SPDX-License-Identifier: MIT */
/*
 * Reads what trace.h records: a file of a machine that has ended, was killed, or still runs. The
 * file is foreign input: nothing in it is believed before it is checked.
 */
#ifndef UPCALL_VMM_TRACE_READ_H
#define UPCALL_VMM_TRACE_READ_H

#include "vmm/trace.h"

struct uc_trace_seen {
	uint64_t time_ns; /* since the trace began */
	uint64_t arg;
	uint32_t port, tag;
	uint32_t number; /* in its lane */
	uint16_t lane, vcpu;
	uint8_t kind; /* enum uc_trace_kind, below UC_TRACE_KINDS */
};

struct uc_trace_log {
	struct uc_trace_header header; /* its names end with a 0 */
	struct uc_trace_seen *records; /* in the order of time */
	size_t nr_records;
	uint64_t overwritten; /* records that newer ones took the place of */
	uint64_t unfinished;  /* being written at the end */
	uint64_t cut;	      /* left out, because other threads' records of that time are gone */
};

/* -errno with `diag` filled; then there is nothing to close. */
int uc_trace_read(struct uc_trace_log *log, const char *path, struct uc_diag *diag);
void uc_trace_free(struct uc_trace_log *log);

#endif
