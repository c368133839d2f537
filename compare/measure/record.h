/* SPDX-License-Identifier: MIT */
/* Writes the records of a comparison, one JSON object per line; docs/compare.md. */
#ifndef UPCALL_COMPARE_MEASURE_RECORD_H
#define UPCALL_COMPARE_MEASURE_RECORD_H

#include <jansson.h>
#include <stdio.h>

#include "compare/measure/echo.h"
#include "compare/measure/host.h"
#include "compare/measure/machine.h"

/* What one window took; differences of two readings. */
struct uc_window_record {
	uint32_t id;
	bool load;
	const char *policy;
	uint64_t start_ns, end_ns; /* since the run's start */
	struct uc_cpu_times target, competitors;
	uint64_t work, watch_looks, handed_over;
	json_t *upcalls, *events; /* per vCPU; borrowed */
};

void uc_record_about(FILE *out, const struct uc_compare_config *config);
void uc_record_progress(FILE *out, const char *text, uint64_t done_ms, uint64_t total_ms);
void uc_record_notice(FILE *out, const char *text);
void uc_record_window(FILE *out, const struct uc_window_record *window);
void uc_record_samples(FILE *out, const struct uc_echo *echo, uint32_t from, uint64_t start_ns);
void uc_record_end(FILE *out, const struct uc_echo *echo, const struct uc_machine *machines,
		   uint32_t nr_machines);
void uc_record_error(FILE *out, const struct uc_diag *diag);

#endif
