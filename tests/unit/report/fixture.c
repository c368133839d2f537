/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <errno.h>
#include <math.h>

void run_start(struct run *run, unsigned int seed)
{
	memset(run, 0, sizeof(*run));
	run->records = uc_records_new();
	assert_non_null(run->records);
	run_line(run, ABOUT_FORMAT, "6.12", seed);
}

void run_stop(struct run *run)
{
	uc_records_free(run->records);
}

void run_line(struct run *run, const char *fmt, ...)
{
	char line[4096];
	va_list ap;

	va_start(ap, fmt);
	assert_true(vsnprintf(line, sizeof(line), fmt, ap) < (int)sizeof(line));
	va_end(ap);
	if (uc_records_add(run->records, line, &run->diag))
		fail_msg("%s: %s", run->diag.text, line);
}

void run_refuses(struct run *run, const char *what, const char *line)
{
	size_t windows = run->records->windows, samples = run->records->samples;

	memset(&run->diag, 0, sizeof(run->diag));
	if (uc_records_add(run->records, line, &run->diag) != -EINVAL)
		fail_msg("taken: %s", line);
	if (!strstr(run->diag.text, what))
		fail_msg("\"%s\" does not say \"%s\": %s", run->diag.text, what, line);
	assert_null(strchr(run->diag.text, '\n'));
	assert_int_equal(run->records->windows, windows);
	assert_int_equal(run->records->samples, samples);
}

int64_t run_window(struct run *run, const char *phase, int policy)
{
	long long start_us = run->windows * 1000000;

	run_line(run,
		 "{\"window\": {\"id\": %lld, \"phase\": \"%s\", \"policy\": \"%s\", \"start_us\": "
		 "%lld, \"end_us\": %lld, \"vcpu_cpu_us\": 500000, \"vmm_cpu_us\": 20000, "
		 "\"competitor_cpu_us\": 900000, \"work\": 1000, \"upcalls\": [30, 10], "
		 "\"events\": [60, 20], \"handed_over\": 4, \"watch_looks\": 7}}",
		 (long long)run->windows, phase, policy == PINNED ? "pinned" : "follow", start_us,
		 start_us + 1000000);
	return run->windows++;
}

void run_sample(struct run *run, int64_t window, int probe, long latency_us)
{
	run_line(run, "{\"samples\": [[%lld, %d, %lld, %ld]]}", (long long)window, probe,
		 (long long)window * 1000000 + 5, latency_us);
}

int64_t run_flat(struct run *run, const char *phase, int policy, int probe, unsigned int n,
		 long latency_us)
{
	int64_t window = run_window(run, phase, policy);

	for (unsigned int i = 0; i < n; i++)
		run_sample(run, window, probe, latency_us);
	return window;
}

struct uc_report *run_report(struct run *run, unsigned int resamples)
{
	struct uc_report_options options = {.resamples = resamples, .command = "upcall compare"};
	struct uc_report *report;

	assert_int_equal(uc_records_finish(run->records, &run->diag), 0);
	report = uc_report_new(run->records, &options, &run->diag);
	assert_non_null(report);
	return report;
}

char *run_text(const struct uc_report *report, run_writer writer, int status, struct uc_diag *diag)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(writer(report, out, diag), status);
	fclose(out);
	return text;
}

void assert_has(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("there is no \"%s\" in:\n%.3000s", what, text);
}

void assert_lacks(const char *text, const char *what)
{
	if (strstr(text, what))
		fail_msg("there is \"%s\": %.200s", what, strstr(text, what));
}

void assert_us(double us, double expected)
{
	bool same = isnan(expected) ? isnan(us) : us == expected;

	if (!same)
		fail_msg("%g, not %g", us, expected);
}
