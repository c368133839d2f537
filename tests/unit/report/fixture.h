/* SPDX-License-Identifier: MIT */
/*
 * A stream as a test wants it: two policies (pinned, follow), two probes (icmp, task), two vCPUs,
 * windows of 1 s. Every line must be taken, or the test fails.
 */
#ifndef TESTS_UNIT_REPORT_FIXTURE_H
#define TESTS_UNIT_REPORT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compare/report/numbers.h"

enum { PINNED, FOLLOW };
enum { ICMP, TASK };

#define ABOUT_FORMAT                                                                               \
	"{\"about\": {\"kernel\": \"%s\", \"vcpus\": 2, \"host_cpus\": 2, \"competitors\": 1, "    \
	"\"competitor_vcpus\": 4, \"load\": \"busy\", \"quota_percent\": 0, \"rate_hz\": 100, "    \
	"\"window_ms\": 1000, \"seconds\": 75, \"seed\": %u, \"policies\": [\"pinned\", "          \
	"\"follow\"], \"probes\": [\"icmp\", \"task\"], \"where\": \"lab\", \"host\": \"QEMU\", "  \
	"\"version\": \"0.1\"}}"
#define END_LINE "{\"end\": {\"lost\": 0, \"guest_log_problems\": []}}"

struct run {
	struct uc_records *records;
	struct uc_diag diag;
	int64_t windows; /* so far: the next one's id */
};

void run_start(struct run *run, unsigned int seed);
void run_stop(struct run *run);
void run_line(struct run *run, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Fails with -EINVAL, and the text says `what`. */
void run_refuses(struct run *run, const char *what, const char *line);
/* A window whose costs are all the same; its id. */
int64_t run_window(struct run *run, const char *phase, int policy);
void run_sample(struct run *run, int64_t window, int probe, long latency_us);
/* A window, and `n` samples of one latency in it. */
int64_t run_flat(struct run *run, const char *phase, int policy, int probe, unsigned int n,
		 long latency_us);
struct uc_report *run_report(struct run *run, unsigned int resamples);

typedef int (*run_writer)(const struct uc_report *report, FILE *out, struct uc_diag *diag);
/* What a writer writes, to be freed; it must return `status`. */
char *run_text(const struct uc_report *report, run_writer writer, int status, struct uc_diag *diag);

void assert_has(const char *text, const char *what);
void assert_lacks(const char *text, const char *what);
void assert_us(double us, double expected);

#endif
