/* SPDX-License-Identifier: MIT */
/*
 * What was measured, and what a reader must know before believing it. Called by sections.c.
 */
#include "compare/report/sections.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

void uc_lines_add(struct uc_lines *lines, const char *fmt, ...)
{
	va_list ap;

	if (lines->count == UC_LINES_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(lines->text[lines->count++], UC_LINE_TEXT, fmt, ap);
	va_end(ap);
}

void uc_probe_title(const char *probe, char *text, size_t size)
{
	const char *what = "";

	if (!strcmp(probe, "icmp"))
		what = ": answered by the guest's kernel";
	else if (!strcmp(probe, "task"))
		what = ": answered by a task in the guest";
	else if (!strcmp(probe, "tcp"))
		what = ": answered by a task in the guest, on a standing connection";
	else if (!strcmp(probe, "http"))
		what = ": a page of a web server in the guest, a connection each";
	snprintf(text, size, "%s%s", probe, what);
}

static void guest_line(const struct uc_about *a, struct uc_lines *lines)
{
	char quota[64] = "", rivals[96] = "nothing competing";

	if (a->quota_percent)
		snprintf(quota, sizeof(quota), ", quota %" PRId64 " %% of a CPU", a->quota_percent);
	if (a->competitors)
		snprintf(rivals, sizeof(rivals),
			 "%" PRId64 " competing guest%s of %" PRId64 " vCPU%s", a->competitors,
			 a->competitors == 1 ? "" : "s", a->competitor_vcpus,
			 a->competitor_vcpus == 1 ? "" : "s");
	uc_lines_add(lines,
		     "guest: Linux %s, %" PRId64 " vCPU%s on %" PRId64 " host CPU%s%s, load %s; %s",
		     a->kernel, a->vcpus, a->vcpus == 1 ? "" : "s", a->host_cpus,
		     a->host_cpus == 1 ? "" : "s", quota, a->load, rivals);
}

void uc_conditions_fill(const struct uc_report *report, struct uc_lines *lines)
{
	const struct uc_about *a = &report->records->about;
	uint32_t idle = 0, load = 0;

	for (unsigned int p = 0; p < a->policies; p++) {
		idle += report->policy[p].windows[UC_PHASE_IDLE];
		load += report->policy[p].windows[UC_PHASE_LOAD];
	}
	guest_line(a, lines);
	uc_lines_add(lines,
		     "%" PRId64 " requests/s at Poisson intervals; windows of %" PRId64
		     " ms, policies in random order: %u idle (the floor), %u under load; seed "
		     "%" PRId64,
		     a->rate_hz, a->window_ms, idle, load, a->seed);
	uc_lines_add(lines, "%s: %s; upcall %s", strcmp(a->where, "lab") ? a->where : "in the lab",
		     a->host, a->version);
}

static void few_windows(const struct uc_report *report, struct uc_lines *notices)
{
	const struct uc_about *a = &report->records->about;

	for (unsigned int p = 0; p < a->policies; p++)
		if (report->policy[p].windows[UC_PHASE_LOAD] < UC_WINDOWS_FOR_INTERVAL)
			uc_lines_add(notices,
				     "%s: %u windows under load are too few for intervals (%d)",
				     a->policy[p], report->policy[p].windows[UC_PHASE_LOAD],
				     UC_WINDOWS_FOR_INTERVAL);
	if (report->idle_end[a->policies - 1] < UC_WINDOWS_FOR_INTERVAL)
		uc_lines_add(notices, "%u idle windows are too few for intervals (%d)",
			     report->idle_end[a->policies - 1], UC_WINDOWS_FOR_INTERVAL);
}

/* With n samples, n/1000 are above p99.9; ten of them is where its interval begins to hold. */
static void few_samples(const struct uc_report *report, struct uc_lines *notices)
{
	const struct uc_about *a = &report->records->about;

	for (unsigned int probe = 0; probe < a->probes; probe++) {
		size_t least = report->idle[probe].pool.n;

		for (unsigned int p = 0; p < a->policies; p++)
			if (report->load[probe][p].pool.n < least)
				least = report->load[probe][p].pool.n;
		if (least < 1000)
			uc_lines_add(notices,
				     "%s: with as few as %zu requests, p99.9 is just the maximum",
				     a->probe[probe], least);
		else if (least < 10000)
			uc_lines_add(notices,
				     "%s: p99.9 rests on as few as %zu requests above it: its "
				     "interval is likely too narrow",
				     a->probe[probe], least / 1000);
	}
}

static void whole(const struct uc_report *report, struct uc_lines *notices)
{
	const struct uc_records *r = report->records;

	if (!r->has_end)
		uc_lines_add(notices,
			     "the measurement did not come to its end: these are the windows until "
			     "then");
	if (report->orphans)
		uc_lines_add(notices,
			     "%zu samples are of windows that never ended, and in no number here",
			     report->orphans);
	if (r->has_end && (uint64_t)r->end_lost != report->lost)
		uc_lines_add(notices,
			     "the measurer counts %" PRId64 " lost requests, the samples %" PRIu64,
			     r->end_lost, report->lost);
}

static void texts(const char *before, const struct uc_texts *t, struct uc_lines *notices)
{
	for (unsigned int i = 0; i < t->count; i++)
		uc_lines_add(notices, "%s%s", before, t->text[i]);
	if (t->dropped)
		uc_lines_add(notices, "%sand %u more", before, t->dropped);
}

void uc_notices_fill(const struct uc_report *report, struct uc_lines *notices)
{
	texts("the guest's log: ", &report->records->log_problems, notices);
	texts("", &report->records->notices, notices);
	whole(report, notices);
	few_windows(report, notices);
	few_samples(report, notices);
}
