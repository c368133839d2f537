/* SPDX-License-Identifier: MIT */
/* `upcall trace`: where the time of the requests of a recorded run went. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/trace.h"

static unsigned int slowest = 3, port;
static bool as_json;

static const struct uc_opt opts[] = {
	{"slowest", UC_OPT_UINT, "N", "the N slowest requests as time lines (default: 3)", &slowest,
	 0, 100000},
	{"port", UC_OPT_UINT, "P", "only requests that were raised on port P", &port, 1, 131071},
	{"json", UC_OPT_FLAG, NULL, "print JSON", &as_json},
	{NULL},
};

static long long integer(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

static double real(const json_t *object, const char *key)
{
	return json_real_value(json_object_get(object, key));
}

static const char *string(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void show_head(const json_t *report)
{
	const json_t *requests = json_object_get(report, "requests");

	printf("%s, %lld vCPUs: %lld records of %.3f s", string(report, "machine"),
	       integer(report, "vcpus"), integer(report, "records"), real(report, "span_s"));
	if (integer(report, "overwritten"))
		printf("; %lld older ones were overwritten, %lld left out beside them",
		       integer(report, "overwritten"), integer(report, "cut"));
	if (integer(report, "unfinished"))
		printf("; %lld unfinished", integer(report, "unfinished"));
	printf("\nrequests: %lld answered, %lld unanswered, %lld ambiguous\n",
	       integer(requests, "answered"), integer(requests, "unanswered"),
	       integer(requests, "ambiguous"));
}

static void show_stages(const json_t *stages)
{
	static const char *const columns[] = {"min_us", "p50_us",  "p95_us",
					      "p99_us", "p999_us", "max_us"};
	const json_t *s;
	size_t i;

	printf("\n%-7s %7s %10s %10s %10s %10s %10s %10s  µs\n", "stage", "n", "min", "p50", "p95",
	       "p99", "p99.9", "max");
	json_array_foreach(stages, i, s)
	{
		printf("%-7s %7lld", string(s, "stage"), integer(s, "n"));
		for (size_t c = 0; c < sizeof(columns) / sizeof(columns[0]); c++)
			if (integer(s, "n"))
				printf(" %10.1f", real(s, columns[c]));
			else
				printf(" %10s", "-");
		printf("  %s\n", string(s, "what"));
	}
}

static long long in_bucket(const json_t *stage, long long below_us)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(stage, "histogram"), i, row)
	{
		if (integer(row, "below_us") == below_us)
			return integer(row, "n");
	}
	return 0;
}

/* Is there anything in this bucket, or any behind it? */
static bool anything_from(const json_t *stages, long long below_us)
{
	const json_t *s, *row;
	size_t i, j;

	json_array_foreach(stages, i, s)
	{
		json_array_foreach(json_object_get(s, "histogram"), j, row)
		{
			if (integer(row, "below_us") >= below_us)
				return true;
		}
	}
	return false;
}

static void show_histogram(const json_t *stages)
{
	const json_t *s;
	bool any = false;
	size_t i;

	if (!anything_from(stages, 1))
		return;
	printf("\n%12s", "below, µs");
	json_array_foreach(stages, i, s) printf(" %7s", string(s, "stage"));
	putchar('\n');
	for (long long below_us = 1; anything_from(stages, below_us); below_us *= 2) {
		long long sum = 0;

		json_array_foreach(stages, i, s) sum += in_bucket(s, below_us);
		any |= sum > 0;
		if (!any)
			continue;
		printf("%11lld", below_us);
		json_array_foreach(stages, i, s) printf(" %7lld", in_bucket(s, below_us));
		putchar('\n');
	}
}

static void show_counts(json_t *counts)
{
	const char *kind;
	json_t *n;

	puts("\nrecords");
	json_object_foreach(counts, kind, n)
	{
		if (json_integer_value(n))
			printf("  %-10s %10lld\n", kind, (long long)json_integer_value(n));
	}
}

static void show_vcpus(const json_t *vcpus)
{
	const json_t *v;
	size_t i;

	json_array_foreach(vcpus, i, v)
	{
		printf("    vCPU %lld: seen running %lld, halted %lld, preempted %lld times; "
		       "%lld exits, %.1f µs outside KVM_RUN\n",
		       integer(v, "vcpu"), integer(v, "seen_running"), integer(v, "seen_halted"),
		       integer(v, "seen_preempted"), integer(v, "exits"), real(v, "outside_us"));
	}
}

static void show_watcher(const json_t *watcher)
{
	if (integer(watcher, "looks"))
		printf("    the watcher looked %lld times; %.1f µs at most before a look\n",
		       integer(watcher, "looks"), real(watcher, "longest_gap_us"));
}

static void show_request(const json_t *request, size_t number)
{
	json_t *stages = json_object_get(request, "stages_us"), *us;
	const json_t *event;
	const char *stage;
	size_t i;

	printf("\nslowest %zu, at %.6f s:", number, real(request, "at_s"));
	json_object_foreach(stages, stage, us)
	{
		if (json_is_real(us))
			printf(" %s %.1f", stage, json_real_value(us));
	}
	puts(" µs");
	json_array_foreach(json_object_get(request, "events"), i, event)
	{
		printf("  %12.1f  %-9s  %s\n", real(event, "at_us"), string(event, "event"),
		       string(event, "detail"));
	}
	if (integer(request, "left_out"))
		printf("  (%lld events are left out)\n", integer(request, "left_out"));
	show_vcpus(json_object_get(request, "vcpus"));
	show_watcher(json_object_get(request, "watcher"));
}

static void show(const json_t *report)
{
	const json_t *stages = json_object_get(report, "stages"), *request;
	size_t i;

	show_head(report);
	show_stages(stages);
	show_histogram(stages);
	show_counts(json_object_get(report, "counts"));
	if (json_array_size(json_object_get(report, "slowest")))
		puts("\nvCPUs in the order of their numbers: R running, H halted, P preempted, "
		     "- offline");
	json_array_foreach(json_object_get(report, "slowest"), i, request)
	{
		show_request(request, i + 1);
	}
}

/* Numbers to 0.1 µs are all there is. */
static void dump(const json_t *report)
{
	json_dumpf(report, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	putchar('\n');
}

static int report_file(const char *path, struct uc_diag *diag)
{
	struct uc_trace_requests requests = {0};
	struct uc_trace_log log;
	json_t *report = NULL;
	int rc = uc_trace_read(&log, path, diag);

	if (rc)
		return rc;
	if (!uc_trace_match(&requests, &log, port))
		report = uc_trace_report(&log, &requests);
	if (!report ||
	    json_object_set_new(report, "slowest", uc_trace_slowest(&log, &requests, slowest)))
		rc = uc_fail(diag, UC_EXIT_INTERNAL, ENOMEM, "%s: out of memory", path);
	else if (as_json)
		dump(report);
	else
		show(report);
	json_decref(report);
	uc_trace_requests_free(&requests);
	uc_trace_free(&log);
	return rc;
}

static int run(int argc, char **argv, int *status, struct uc_diag *diag)
{
	struct uc_command behind = uc_cmd_trace;
	int rest, rc;

	(void)status;
	if (!argc)
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "give the FILE that `upcall run --trace FILE` recorded");
	/* Options behind FILE are as good as before it. */
	behind.rest_is_command = false;
	rc = uc_opts_parse(&behind, argc, argv, &rest, diag);
	if (rc > 0)
		uc_help_command(&behind);
	return rc ? (rc > 0 ? 0 : rc) : report_file(argv[0], diag);
}

const struct uc_command uc_cmd_trace = {
	.name = "trace",
	.args = "FILE",
	.summary = "where the time of a recorded run's requests went",
	.details =
		"FILE is what `upcall run --trace FILE` records; the machine may still run. Echo\n"
		"requests (ICMP, ICMPv6, UDP) are paired with the guest's answers: times per\n"
		"stage, a table of all records, and the slowest requests step by step.",
	.opts = opts,
	.rest_is_command = true,
	.run = run,
};
