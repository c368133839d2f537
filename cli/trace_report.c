/* SPDX-License-Identifier: MIT */
/* Numbers over all requests of a trace: counts, percentiles and histograms per stage. */
#include <stdlib.h>

#include "cli/trace.h"

/* Nearest rank. */
static uint64_t percentile(const uint64_t *times, size_t n, unsigned int per_10000)
{
	size_t rank = (n * per_10000 + 9999) / 10000;

	return times[rank ? rank - 1 : 0];
}

static double us(uint64_t ns)
{
	return (double)ns / 1000;
}

/* Buckets [0, 1), [1, 2), [2, 4) ... µs; only those that hold something. */
static json_t *histogram(const uint64_t *times, size_t n)
{
	json_t *rows = json_array();
	uint64_t below_ns = 1000;

	for (size_t i = 0; i < n; below_ns *= 2) {
		size_t first = i;

		while (i < n && times[i] < below_ns)
			i++;
		if (i > first)
			json_array_append_new(rows, json_pack("{sI sI}", "below_us",
							      (json_int_t)(below_ns / 1000), "n",
							      (json_int_t)(i - first)));
	}
	return rows;
}

static json_t *stage(const struct uc_trace_requests *requests, enum uc_trace_stage which)
{
	size_t n;
	uint64_t *t = uc_trace_stage_times(requests, which, &n);
	json_t *row = NULL;

	if (t && !n)
		row = json_pack("{ss ss sI}", "stage", uc_trace_stage_name(which), "what",
				uc_trace_stage_text(which), "n", (json_int_t)0);
	else if (t)
		row = json_pack(
			"{ss ss sI sf sf sf sf sf sf so}", "stage", uc_trace_stage_name(which),
			"what", uc_trace_stage_text(which), "n", (json_int_t)n, "min_us", us(t[0]),
			"p50_us", us(percentile(t, n, 5000)), "p95_us", us(percentile(t, n, 9500)),
			"p99_us", us(percentile(t, n, 9900)), "p999_us", us(percentile(t, n, 9990)),
			"max_us", us(t[n - 1]), "histogram", histogram(t, n));
	free(t);
	return row;
}

static json_t *stages(const struct uc_trace_requests *requests)
{
	json_t *rows = json_array();

	for (int i = 0; i < UC_TRACE_STAGES; i++)
		json_array_append_new(rows, stage(requests, (enum uc_trace_stage)i));
	return rows;
}

static json_t *counts(const struct uc_trace_log *log)
{
	uint64_t n[UC_TRACE_KINDS] = {0};
	json_t *object = json_object();

	for (size_t i = 0; i < log->nr_records; i++)
		n[log->records[i].kind]++;
	for (int i = 1; i < UC_TRACE_KINDS; i++)
		json_object_set_new(object, uc_trace_kind_name((enum uc_trace_kind)i),
				    json_integer((json_int_t)n[i]));
	return object;
}

json_t *uc_trace_report(const struct uc_trace_log *log, const struct uc_trace_requests *requests)
{
	size_t n = log->nr_records;
	uint64_t span_ns = n ? log->records[n - 1].time_ns - log->records[0].time_ns : 0;
	/* A foreign file's name may be anything. */
	json_t *machine = json_string(log->header.machine);

	return json_pack("{so si sf sI sI sI sI so s{sI sI sI} so}", "machine",
			 machine ? machine : json_string("?"), "vcpus", (int)log->header.nr_vcpus,
			 "span_s", (double)span_ns / 1e9, "records", (json_int_t)n, "overwritten",
			 (json_int_t)log->overwritten, "unfinished", (json_int_t)log->unfinished,
			 "cut", (json_int_t)log->cut, "counts", counts(log), "requests", "answered",
			 (json_int_t)requests->answered, "unanswered",
			 (json_int_t)requests->unanswered, "ambiguous",
			 (json_int_t)requests->ambiguous, "stages", stages(requests));
}
