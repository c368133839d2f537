/* SPDX-License-Identifier: MIT */
/* `upcall trace`: the report that --json prints, and that cli/trace.c shows to a person. */
#ifndef UPCALL_CLI_TRACE_H
#define UPCALL_CLI_TRACE_H

#include <jansson.h>

#include "vmm/trace_match.h"

/* Of the file, its records by kind, and the requests. NULL: out of memory. */
json_t *uc_trace_report(const struct uc_trace_log *log, const struct uc_trace_requests *requests);
/* The `n` slowest answered requests as an array, each with its time line. */
json_t *uc_trace_slowest(const struct uc_trace_log *log, const struct uc_trace_requests *requests,
			 size_t n);

#endif
