/* SPDX-License-Identifier: MIT */
/*
 * Requests and their answers in a trace, and how long each stage took. Only what is certain counts:
 * a request and its answer have the same tag; a tag that is seen again before its answer makes both
 * ambiguous; a notification of the guest is an answer's only when it is the only one it can be.
 */
#ifndef UPCALL_VMM_TRACE_MATCH_H
#define UPCALL_VMM_TRACE_MATCH_H

#include "vmm/trace_read.h"

struct uc_trace_request {
	uint32_t tag, port; /* of the rx event */
	uint32_t vcpu;	    /* where the raise put the event, if `raised` */
	uint64_t states;    /* when it was raised */
	size_t first,
		last; /* records: read from the tap; written to it, or the last that is known */
	/* Times; 0: did not happen, or is not certain. */
	uint64_t read_ns, raise_ns, kick_ns, sent_ns, taken_ns, written_ns;
	bool ambiguous;
};

struct uc_trace_requests {
	struct uc_trace_request *all; /* in the order of read_ns */
	size_t nr;
	/* Of `nr`. Unanswered: until the end of the trace or a restart. */
	size_t answered, unanswered, ambiguous;
};

/* `port`: only requests raised on it; 0: all. -ENOMEM. */
int uc_trace_match(struct uc_trace_requests *requests, const struct uc_trace_log *log,
		   uint32_t port);
void uc_trace_requests_free(struct uc_trace_requests *requests);

enum uc_trace_stage {
	UC_TRACE_STAGE_READ,   /* tap read -> raise */
	UC_TRACE_STAGE_KICK,   /* raise -> upcall sent */
	UC_TRACE_STAGE_GUEST,  /* raise -> the guest notifies of its answer */
	UC_TRACE_STAGE_PICKUP, /* notified -> taken from the ring */
	UC_TRACE_STAGE_ANSWER, /* raise -> taken from the ring */
	UC_TRACE_STAGE_WRITE,  /* taken from the ring -> written to the tap */
	UC_TRACE_STAGE_WHOLE,  /* tap read -> tap written */
	UC_TRACE_STAGES,
};

const char *uc_trace_stage_name(enum uc_trace_stage stage);
const char *uc_trace_stage_text(enum uc_trace_stage stage);
/* How long, or 0 when that is not known. Any time that is known counts as 1 ns or more. */
uint64_t uc_trace_stage_ns(const struct uc_trace_request *r, enum uc_trace_stage stage);

/* The known times of a stage among answered requests, ascending; *n of them. To be freed; NULL: no
 * memory. */
uint64_t *uc_trace_stage_times(const struct uc_trace_requests *requests, enum uc_trace_stage stage,
			       size_t *n);

#endif
