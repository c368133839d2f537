/* SPDX-License-Identifier: MIT */
/* From a stream to numbers: floors, excess, ratios, costs, and intervals that hold what they say.
 */
#include "fixture.h"

#include <math.h>

#define RESAMPLES 500

/* Ten windows of each kind; every request of a kind takes equally long. */
static struct uc_report *flat_report(struct run *run, long idle_us, long pinned_us, long follow_us)
{
	run_start(run, 1);
	for (int i = 0; i < 10; i++) {
		run_flat(run, "idle", PINNED, ICMP, 3, idle_us);
		run_flat(run, "idle", FOLLOW, ICMP, 3, idle_us);
		run_flat(run, "load", PINNED, ICMP, 3, pinned_us);
		run_flat(run, "load", FOLLOW, ICMP, 3, follow_us);
	}
	run_line(run, END_LINE);
	return run_report(run, RESAMPLES);
}

static void assert_estimate(const struct uc_estimate *e, double value, double low, double high)
{
	assert_us(e->value, value);
	assert_us(e->low, low);
	assert_us(e->high, high);
}

static void excess_is_over_the_idle_floor(void **state)
{
	struct run run;
	struct uc_report *report = flat_report(&run, 100, 1100, 200);

	(void)state;
	for (unsigned int k = 0; k < UC_QUANTILES; k++) {
		assert_estimate(&report->idle[ICMP].q[k], 100, 100, 100);
		assert_estimate(&report->load[ICMP][PINNED].q[k], 1100, 1100, 1100);
		assert_estimate(&report->load[ICMP][PINNED].excess[k], 1000, 1000, 1000);
		assert_estimate(&report->load[ICMP][FOLLOW].excess[k], 100, 100, 100);
		assert_estimate(&report->load[ICMP][FOLLOW].ratio[k], 10, 10, 10);
		assert_us(report->load[TASK][FOLLOW].q[k].value, NAN);
		assert_us(report->load[TASK][FOLLOW].ratio[k].value, NAN);
	}
	assert_int_equal(report->idle[ICMP].pool.n, 60);
	assert_int_equal(report->load[ICMP][PINNED].pool.n, 30);
	uc_report_free(report);
	run_stop(&run);
}

static void assert_ratio(long idle_us, long pinned_us, long follow_us, double expected)
{
	struct run run;
	struct uc_report *report = flat_report(&run, idle_us, pinned_us, follow_us);

	assert_us(report->load[ICMP][FOLLOW].ratio[UC_Q_P99].value, expected);
	uc_report_free(report);
	run_stop(&run);
}

static void a_ratio_without_a_divisor_is_beyond_measure(void **state)
{
	(void)state;
	assert_ratio(100, 1100, 100, INFINITY);
	assert_ratio(100, 1100, 50, INFINITY);
	assert_ratio(100, 100, 100, NAN); /* neither has an excess */
	assert_ratio(100, 50, 200, -0.5);
	assert_ratio(100, -1, 200, INFINITY);
	assert_ratio(100, 1100, -1, 0);
	assert_ratio(100, -1, -1, NAN);
	assert_ratio(-1, 1100, 200, NAN); /* no floor to measure from */
}

static void over_a_lost_floor_nothing_is_known(void **state)
{
	struct run run;
	struct uc_report *report = flat_report(&run, -1, 1100, 200);

	(void)state;
	assert_us(report->idle[ICMP].q[UC_Q_P99].value, INFINITY);
	assert_estimate(&report->load[ICMP][PINNED].excess[UC_Q_P99], NAN, NAN, NAN);
	uc_report_free(report);
	run_stop(&run);
}

static void a_lost_request_is_slower_than_any(void **state)
{
	struct uc_report *report;
	struct run run;
	int64_t window;

	(void)state;
	run_start(&run, 1);
	window = run_flat(&run, "load", FOLLOW, TASK, 98, 700);
	run_sample(&run, window, TASK, -1);
	run_sample(&run, window, TASK, -1);
	report = run_report(&run, RESAMPLES);
	assert_int_equal(report->load[TASK][FOLLOW].pool.n, 100);
	assert_int_equal(report->load[TASK][FOLLOW].pool.lost, 2);
	assert_us(report->load[TASK][FOLLOW].q[UC_Q_P95].value, 700);
	assert_us(report->load[TASK][FOLLOW].q[UC_Q_P99].value, INFINITY);
	assert_us(report->load[TASK][FOLLOW].max_us, INFINITY);
	uc_report_free(report);
	run_stop(&run);
}

static void samples_may_come_before_their_window(void **state)
{
	struct uc_report *report;
	struct run run;

	(void)state;
	run_start(&run, 1);
	run_sample(&run, 1, ICMP, 7);
	run_sample(&run, 5, ICMP, 9); /* its window never ends */
	run_window(&run, "load", PINNED);
	run_window(&run, "load", FOLLOW);
	report = run_report(&run, RESAMPLES);
	assert_int_equal(report->load[ICMP][FOLLOW].pool.n, 1);
	assert_int_equal(report->orphans, 1);
	uc_report_free(report);
	run_stop(&run);
}

/*
 * One window of ten is slow. p99 of a resample is slow unless that window was never drawn, which
 * has the chance 0.9^10 = 0.35; so both values are well inside the middle 95 %.
 */
static void whole_windows_are_drawn(void **state)
{
	struct uc_report *report;
	struct run run;

	(void)state;
	run_start(&run, 3);
	for (int i = 0; i < 10; i++)
		run_flat(&run, "load", PINNED, ICMP, 100, i == 4 ? 50000 : 1000);
	report = run_report(&run, RESAMPLES);
	assert_estimate(&report->load[ICMP][PINNED].q[UC_Q_P99], 50000, 1000, 50000);
	assert_estimate(&report->load[ICMP][PINNED].q[UC_Q_P50], 1000, 1000, 1000);
	uc_report_free(report);
	run_stop(&run);
}

static void few_windows_have_no_interval(void **state)
{
	struct uc_report *report;
	struct run run;

	(void)state;
	run_start(&run, 1);
	for (int i = 0; i < UC_WINDOWS_FOR_INTERVAL; i++) {
		run_flat(&run, "load", PINNED, ICMP, 10, 1000 + i);
		if (i)
			run_flat(&run, "load", FOLLOW, ICMP, 10, 1000 + i);
	}
	report = run_report(&run, RESAMPLES);
	assert_false(isnan(report->load[ICMP][PINNED].q[UC_Q_P50].low));
	assert_true(isnan(report->load[ICMP][FOLLOW].q[UC_Q_P50].low));
	assert_true(isnan(report->load[ICMP][PINNED].excess[UC_Q_P50].low));
	assert_false(isnan(report->policy[PINNED].cost[UC_COST_WORK].low));
	assert_true(isnan(report->policy[FOLLOW].cost[UC_COST_WORK].low));
	uc_report_free(report);
	run_stop(&run);
}

#define TRIALS 300

/* Each window has one latency for all its samples, uniform in [0, 1000): the true p50 is 500. */
static bool covers(unsigned int trial)
{
	struct uc_random random = uc_random_new(trial, 99);
	struct uc_report *report;
	struct run run;
	bool covered;

	run_start(&run, trial);
	for (int i = 0; i < 41; i++)
		run_flat(&run, "load", PINNED, ICMP, 8, uc_random_below(&random, 1000));
	report = run_report(&run, 400);
	covered = report->load[ICMP][PINNED].q[UC_Q_P50].low <= 500 &&
		  report->load[ICMP][PINNED].q[UC_Q_P50].high >= 500;
	uc_report_free(report);
	run_stop(&run);
	return covered;
}

/*
 * Drawing samples instead of windows would give a root of 8 narrower intervals, which cover in
 * about 50 % of the trials. The trials are the same in every run.
 */
static void intervals_cover_what_is_true(void **state)
{
	unsigned int covered = 0;

	(void)state;
	for (unsigned int trial = 1; trial <= TRIALS; trial++)
		covered += covers(trial);
	assert_in_range(covered, TRIALS * 91 / 100, TRIALS * 98 / 100);
}

static void costs_are_sums_divided(void **state)
{
	struct run run;
	struct uc_report *report = flat_report(&run, 100, 1100, 200);
	const struct uc_policy_numbers *n = &report->policy[FOLLOW];

	(void)state;
	assert_estimate(&n->cost[UC_COST_VCPU_CPU], 0.5, 0.5, 0.5);
	assert_estimate(&n->cost[UC_COST_VMM_CPU], 0.02, 0.02, 0.02);
	assert_estimate(&n->cost[UC_COST_COMPETITOR_CPU], 0.9, 0.9, 0.9);
	assert_estimate(&n->cost[UC_COST_WORK], 2000, 2000, 2000);
	assert_estimate(&n->cost[UC_COST_UPCALLS], 40, 40, 40);
	assert_estimate(&n->cost[UC_COST_EVENTS], 80, 80, 80);
	assert_estimate(&n->cost[UC_COST_HANDED_OVER], 4, 4, 4);
	assert_estimate(&n->cost[UC_COST_LOOKS], 7, 7, 7);
	assert_estimate(&n->change[UC_COST_WORK], 0, 0, 0);
	assert_us(n->share[0], 0.75);
	assert_us(n->share[1], 0.25);
	assert_us(n->spread, 3);
	uc_report_free(report);
	run_stop(&run);
}

/* `follow` does 3 for pinned's 2, in every window. */
static void a_change_is_from_the_first_policy(void **state)
{
	static const char *const names[] = {"pinned", "follow"};
	struct uc_report *report;
	struct run run;

	(void)state;
	run_start(&run, 1);
	for (int i = 0; i < 20; i++)
		run_line(&run,
			 "{\"window\": {\"id\": %d, \"phase\": \"load\", \"policy\": \"%s\", "
			 "\"start_us\": 0, \"end_us\": 2000000, \"vcpu_cpu_us\": 100000, "
			 "\"vmm_cpu_us\": %d, \"competitor_cpu_us\": 0, \"work\": %d, \"upcalls\": "
			 "[0, 0], \"events\": [0, %d], \"handed_over\": 0, \"watch_looks\": 0}}",
			 i, names[i % 2], i % 2 ? 40000 : 0, i % 2 ? 300 : 200, i % 2 ? 5 : 0);
	report = run_report(&run, RESAMPLES);
	assert_estimate(&report->policy[FOLLOW].change[UC_COST_WORK], 0.5, 0.5, 0.5);
	assert_estimate(&report->policy[FOLLOW].cost[UC_COST_WORK], 3000, 3000, 3000);
	/* From nothing there is no change in percent. */
	assert_estimate(&report->policy[FOLLOW].cost[UC_COST_VMM_CPU], 0.02, 0.02, 0.02);
	assert_estimate(&report->policy[FOLLOW].change[UC_COST_VMM_CPU], NAN, NAN, NAN);
	assert_us(report->policy[FOLLOW].spread, INFINITY);
	assert_us(report->policy[PINNED].spread, NAN);
	uc_report_free(report);
	run_stop(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(excess_is_over_the_idle_floor),
		cmocka_unit_test(a_ratio_without_a_divisor_is_beyond_measure),
		cmocka_unit_test(over_a_lost_floor_nothing_is_known),
		cmocka_unit_test(a_lost_request_is_slower_than_any),
		cmocka_unit_test(samples_may_come_before_their_window),
		cmocka_unit_test(whole_windows_are_drawn),
		cmocka_unit_test(few_windows_have_no_interval),
		cmocka_unit_test(intervals_cover_what_is_true),
		cmocka_unit_test(costs_are_sums_divided),
		cmocka_unit_test(a_change_is_from_the_first_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
