/* SPDX-License-Identifier: MIT */
/* Table, CSV and JSON: what they say is what the stream said. */
#include "fixture.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>

static struct uc_report *usual_report(struct run *run, unsigned int seed)
{
	run_start(run, seed);
	for (int i = 0; i < 6; i++) {
		run_flat(run, "idle", i % 2, ICMP, 20, 100 + i);
		run_flat(run, "load", PINNED, ICMP, 20, 1100 + i * 500);
		run_flat(run, "load", FOLLOW, ICMP, 20, 200 + i * 9);
	}
	run_sample(run, 1, ICMP, -1);
	run_line(run, "{\"notice\": \"a notice\"}");
	run_line(run, "{\"end\": {\"lost\": 1, \"guest_log_problems\": [\"rcu: stall\"]}}");
	return run_report(run, 300);
}

static void the_table_has_all_parts(void **state)
{
	static const char *const parts[] = {
		"guest: Linux 6.12, 2 vCPUs on 2 host CPUs, load busy; 1 competing guest of 4 "
		"vCPUs\n",
		"100 requests/s at Poisson intervals; windows of 1000 ms, policies in random "
		"order: "
		"6 idle (the floor), 12 under load; seed 1\n",
		"in the lab: QEMU; upcall 0.1\n",
		"\nicmp: answered by the guest's kernel\n",
		"\n  latency, ms    n  lost    p50    p95    p99  p99.9    max\n",
		"\n  idle floor   120     0  0.102  0.105  0.105  0.105  0.105\n",
		"\n  pinned       121     1   2.60   3.60   3.60   lost   lost\n",
		"\n  follow       120     0  0.218  0.245  0.245  0.245  0.245\n",
		"pinned/this",
		"\ncost under load (change: from pinned [95 %])\n",
		"75.0  25.0",
		"\nnote: the guest's log: rcu: stall\n",
		"\nnote: a notice\n",
		"\nnote: icmp: with as few as 120 requests, p99.9 is just the maximum\n",
	};
	struct run run;
	struct uc_report *report = usual_report(&run, 1);
	char *text = run_text(report, uc_report_table, 0, &run.diag);

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		assert_has(text, parts[i]);
	assert_lacks(text, "did not come to its end");
	free(text);
	uc_report_free(report);
	run_stop(&run);
}

static void a_run_that_is_not_whole_says_so(void **state)
{
	struct uc_report *report;
	struct run run;
	char *text;

	(void)state;
	run_start(&run, 1);
	run_flat(&run, "load", PINNED, ICMP, 3, 500);
	run_sample(&run, 77, ICMP, 500);
	report = run_report(&run, 300);
	text = run_text(report, uc_report_table, 0, &run.diag);
	assert_has(text, "note: the measurement did not come to its end");
	assert_has(text, "note: 1 samples are of windows that never ended");
	assert_has(text, "note: pinned: 1 windows under load are too few for intervals (5)");
	assert_has(text, "note: 0 idle windows are too few for intervals (5)");
	free(text);
	uc_report_free(report);
	run_stop(&run);
}

static void the_measurers_count_of_the_lost_is_compared(void **state)
{
	struct uc_report *report;
	struct run run;
	char *text;

	(void)state;
	run_start(&run, 1);
	run_flat(&run, "load", PINNED, ICMP, 3, -1);
	run_line(&run, END_LINE);
	report = run_report(&run, 300);
	text = run_text(report, uc_report_table, 0, &run.diag);
	assert_has(text, "note: the measurer counts 0 lost requests, the samples 3");
	free(text);
	uc_report_free(report);
	run_stop(&run);
}

static void a_seed_gives_one_result(void **state)
{
	struct run a, b, c;
	struct uc_report *ra = usual_report(&a, 1), *rb = usual_report(&b, 1),
			 *rc = usual_report(&c, 2);
	char *ta = run_text(ra, uc_report_json, 0, &a.diag),
	     *tb = run_text(rb, uc_report_json, 0, &b.diag);
	int same = 0;

	(void)state;
	assert_string_equal(ta, tb);
	for (unsigned int k = 0; k < UC_QUANTILES; k++)
		same += ra->load[ICMP][PINNED].q[k].low == rc->load[ICMP][PINNED].q[k].low &&
			ra->load[ICMP][PINNED].q[k].high == rc->load[ICMP][PINNED].q[k].high &&
			ra->load[ICMP][FOLLOW].ratio[k].low == rc->load[ICMP][FOLLOW].ratio[k].low;
	assert_int_not_equal(same, UC_QUANTILES);
	free(ta);
	free(tb);
	uc_report_free(ra);
	uc_report_free(rb);
	uc_report_free(rc);
	run_stop(&a);
	run_stop(&b);
	run_stop(&c);
}

/* One row of the CSV is the sample that it was made from. */
static void assert_row(const char *row, const struct uc_records *r, const struct uc_sample *s)
{
	const struct uc_window *w = uc_window_by_id(r, s->window_id);
	char phase[16], policy[16], probe[16], latency[16], expected[32];
	unsigned int window;
	int64_t sent_us;

	assert_int_equal(sscanf(row, "%u,%15[^,],%15[^,],%15[^,],%" SCNd64 ",%15[^\n]", &window,
				phase, policy, probe, &sent_us, latency),
			 6);
	snprintf(expected, sizeof(expected), "%" PRId64, s->latency_us);
	assert_int_equal(window, s->window_id);
	assert_string_equal(phase, w->phase == UC_PHASE_IDLE ? "idle" : "load");
	assert_string_equal(policy, w->policy == PINNED ? "pinned" : "follow");
	assert_string_equal(probe, s->probe == ICMP ? "icmp" : "task");
	assert_int_equal(sent_us, s->sent_us);
	assert_string_equal(latency, s->latency_us < 0 ? "inf" : expected);
}

static void the_csv_is_the_samples(void **state)
{
	struct run run;
	struct uc_report *report = usual_report(&run, 1);
	char *text = run_text(report, uc_report_csv, 0, &run.diag), *row;
	size_t rows = 0;

	(void)state;
	row = strtok(text, "\n");
	assert_string_equal(row, "window,phase,policy,probe,sent_us,latency_us");
	for (row = strtok(NULL, "\n"); row; row = strtok(NULL, "\n")) {
		assert_true(rows < run.records->samples);
		assert_row(row, run.records, &run.records->sample[rows++]);
	}
	assert_int_equal(rows, 361);
	free(text);
	uc_report_free(report);
	run_stop(&run);
}

static json_t *at(json_t *root, const char *const *path)
{
	for (; *path; path++) {
		root = json_object_get(root, *path);
		if (!root)
			fail_msg("the JSON has no %s", *path);
	}
	return root;
}

static void the_json_has_the_numbers(void **state)
{
	struct run run;
	struct uc_report *report = usual_report(&run, 1);
	char *text = run_text(report, uc_report_json, 0, &run.diag);
	json_t *root = json_loads(text, 0, NULL);
	json_t *pinned, *follow;
	double ratio;

	(void)state;
	assert_non_null(root);
	pinned = at(root, (const char *[]){"probes", "icmp", "policies", "pinned", NULL});
	follow = at(root, (const char *[]){"probes", "icmp", "policies", "follow", NULL});
	assert_int_equal(json_integer_value(at(pinned, (const char *[]){"lost", NULL})), 1);
	assert_string_equal(json_string_value(at(pinned, (const char *[]){"max_us", NULL})),
			    "lost");
	assert_us(
		json_number_value(at(follow, (const char *[]){"excess_us", "p99", "value", NULL})),
		140);
	/* JSON has ten digits. */
	ratio = json_number_value(at(follow, (const char *[]){"ratio", "p99", "value", NULL}));
	assert_float_equal(ratio, (3600 - 105) / 140., 1e-7);
	assert_string_equal(
		json_string_value(at(follow, (const char *[]){"ratio", "p99.9", "value", NULL})),
		"beyond measure");
	assert_us(json_number_value(at(root, (const char *[]){"costs", "follow", "events_per_s",
							      "value", NULL})),
		  80);
	assert_int_equal(json_array_size(at(root, (const char *[]){"windows", NULL})), 18);
	assert_true(json_is_true(at(root, (const char *[]){"complete", NULL})));
	assert_string_equal(json_string_value(at(root, (const char *[]){"command", NULL})),
			    "upcall compare");
	json_decref(root);
	free(text);
	uc_report_free(report);
	run_stop(&run);
}

static void a_full_disk_is_an_error(void **state)
{
	static const run_writer writers[] = {uc_report_table, uc_report_csv, uc_report_json,
					     uc_report_html};
	struct run run;
	struct uc_report *report = usual_report(&run, 1);

	(void)state;
	for (size_t i = 0; i < sizeof(writers) / sizeof(*writers); i++) {
		struct uc_diag diag = {0};
		FILE *full = fopen("/dev/full", "w");

		assert_non_null(full);
		assert_int_equal(writers[i](report, full, &diag), -EIO);
		assert_has(diag.text, "could not be written");
		fclose(full);
	}
	uc_report_free(report);
	run_stop(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_has_all_parts),
		cmocka_unit_test(a_run_that_is_not_whole_says_so),
		cmocka_unit_test(the_measurers_count_of_the_lost_is_compared),
		cmocka_unit_test(a_seed_gives_one_result),
		cmocka_unit_test(the_csv_is_the_samples),
		cmocka_unit_test(the_json_has_the_numbers),
		cmocka_unit_test(a_full_disk_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
