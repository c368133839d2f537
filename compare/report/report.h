/* SPDX-License-Identifier: MIT */
/*
 * The reporting half of `upcall compare`: takes the measurer's record stream (JSON Lines, one
 * object per line) as it comes, and makes of it a table for people, JSON, CSV and one HTML page.
 * What each number means: docs/compare.md. Called by cli/compare.c. One thread; nothing here
 * prints but to the stream it is given.
 */
#ifndef UPCALL_COMPARE_REPORT_REPORT_H
#define UPCALL_COMPARE_REPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/diag.h"

struct uc_records; /* the run's raw data */
struct uc_report;  /* the numbers made from it */

struct uc_run_progress {
	char text[128];
	uint64_t done_ms, total_ms;
};

struct uc_records *uc_records_new(void); /* NULL: no memory */
void uc_records_free(struct uc_records *records);
/*
 * One line of the stream, with or without its newline. -EINVAL: malformed, truncated or out of
 * range (the records are as before); -EIO: the line says that the run failed, and `diag` is what
 * it says; -ENOMEM. An empty line is none of these: 0.
 */
int uc_records_add(struct uc_records *records, const char *line, struct uc_diag *diag);
/* The stream has ended. -EINVAL unless there is a window under load to report on. */
int uc_records_finish(struct uc_records *records, struct uc_diag *diag);
/* The latest progress; false before the first. */
bool uc_records_progress(const struct uc_records *records, struct uc_run_progress *progress);

struct uc_report_options {
	unsigned int resamples; /* of the bootstrap; 0: 2000 */
	const char *command;	/* shown in the HTML and JSON as what to repeat; NULL: not shown */
};

/* The records are read, not kept changed, and must outlive the report. NULL: `diag` filled. */
struct uc_report *uc_report_new(const struct uc_records *records,
				const struct uc_report_options *options, struct uc_diag *diag);
void uc_report_free(struct uc_report *report);

/* 0, or -errno with `diag` filled: `out` could not be written, or there is no memory. */
int uc_report_table(const struct uc_report *report, FILE *out, struct uc_diag *diag);
int uc_report_json(const struct uc_report *report, FILE *out, struct uc_diag *diag);
int uc_report_csv(const struct uc_report *report, FILE *out, struct uc_diag *diag);
/* As above, or 1: the page is whole but for its plots, and `diag` says why (it says so, too). */
int uc_report_html(const struct uc_report *report, FILE *out, struct uc_diag *diag);

#endif
