/* SPDX-License-Identifier: MIT */
/* The stream: what is taken, what is refused, and that a refused line leaves nothing behind. */
#include "fixture.h"

#include <errno.h>

#define WINDOW(id, more)                                                                           \
	"{\"window\": {\"id\": " id ", \"phase\": \"load\", \"policy\": \"pinned\", "              \
	"\"start_us\": 5, \"end_us\": 9, \"vcpu_cpu_us\": 1, \"vmm_cpu_us\": 1, "                  \
	"\"competitor_cpu_us\": 1, \"work\": 1, \"handed_over\": 1, \"watch_looks\": 1, " more     \
	"}}"
#define LISTS "\"upcalls\": [1, 2], \"events\": [1, 2]"

static int setup(void **state)
{
	static struct run run;

	run_start(&run, 1);
	*state = &run;
	return 0;
}

static int teardown(void **state)
{
	run_stop(*state);
	return 0;
}

static void every_cut_line_is_refused(void **state)
{
	static const char *const lines[] = {
		WINDOW("0", LISTS),
		"{\"samples\": [[0, 0, 10, 20], [0, 1, 11, -1]]}",
		"{\"progress\": {\"text\": \"booting\", \"done_ms\": 1, \"total_ms\": 9}}",
		"{\"notice\": \"something\"}",
		END_LINE,
	};
	struct run *run = *state;
	char line[1024];

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		for (size_t n = 1; n < strlen(lines[i]); n++) {
			snprintf(line, sizeof(line), "%.*s", (int)n, lines[i]);
			run_refuses(run, "cut off or malformed", line);
		}
		run_line(run, "%s", lines[i]);
	}
	assert_int_equal(run->records->windows, 1);
	assert_int_equal(run->records->samples, 2);
}

static void a_line_of_no_known_kind_is_refused(void **state)
{
	run_refuses(*state, "one member", "[]");
	run_refuses(*state, "one member", "{}");
	run_refuses(*state, "one member", "{\"notice\": \"a\", \"end\": 1}");
	run_refuses(*state, "any known kind", "{\"Window\": 1}");
	run_refuses(*state, "malformed", "{\"notice\": \"a\", \"notice\": \"b\"}");
	run_refuses(*state, "malformed", "{\"notice\": \"a\"} x");
	run_refuses(*state, "\"about\": these are two runs", "{\"about\": {\"kernel\": \"x\"}}");
}

static void an_error_says_which_line(void **state)
{
	struct run *run = *state;

	run_line(run, "\n");
	run_refuses(run, "line 3 of the measurement: ", "?");
}

static void windows_are_checked(void **state)
{
	struct run *run = *state;

	run_refuses(run, "\"id\" is -1, outside 0..999999", WINDOW("-1", LISTS));
	run_refuses(run, "\"id\" is 1000000, outside", WINDOW("1000000", LISTS));
	run_refuses(run, "\"id\" is missing or not a whole number", WINDOW("1.0", LISTS));
	run_refuses(run, "\"id\" is missing or not a whole number", WINDOW("\"1\"", LISTS));
	run_refuses(run, "\"upcalls\" is not a list of 2 numbers",
		    WINDOW("0", "\"events\": [1, 2]"));
	run_refuses(run, "\"events\" is not a list of 2 numbers",
		    WINDOW("0", "\"upcalls\": [1, 2], \"events\": [1]"));
	run_refuses(run, "\"events\" is -2, outside",
		    WINDOW("0", "\"upcalls\": [1, 2], \"events\": [1, -2]"));
	run_line(run, WINDOW("0", LISTS));
	run_refuses(run, "window 0 comes twice", WINDOW("0", LISTS));
	run_line(run, WINDOW("999999", LISTS));
	assert_non_null(uc_window_by_id(run->records, 999999));
	assert_null(uc_window_by_id(run->records, 1));
	assert_null(uc_window_by_id(run->records, UINT32_MAX));
}

/* `from` in a good window becomes `to`. */
static void refuses_changed(struct run *run, const char *from, const char *to, const char *what)
{
	static const char good[] = WINDOW("0", LISTS);
	const char *at = strstr(good, from);
	char line[1024];

	assert_non_null(at);
	snprintf(line, sizeof(line), "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
	run_refuses(run, what, line);
}

static void each_member_of_a_window_is_needed(void **state)
{
	static const char *const members[] = {
		"id",	       "start_us",    "end_us",
		"vcpu_cpu_us", "vmm_cpu_us",  "competitor_cpu_us",
		"work",	       "handed_over", "watch_looks",
	};
	char from[64], what[64];

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		snprintf(from, sizeof(from), "\"%s\"", members[i]);
		snprintf(what, sizeof(what), "\"%s\" is missing", members[i]);
		refuses_changed(*state, from, "\"other\"", what);
	}
	refuses_changed(*state, "\"load\"", "\"busy\"", "neither \"idle\" nor \"load\"");
	refuses_changed(*state, "\"pinned\"", "\"credit\"", "none of those that \"about\" lists");
	refuses_changed(*state, "\"end_us\": 9", "\"end_us\": 5", "ends before it starts");
}

static void samples_are_checked(void **state)
{
	struct run *run = *state;

	run_refuses(run, "not a list", "{\"samples\": 3}");
	run_refuses(run, "a list of 4 numbers", "{\"samples\": [[0, 0, 1]]}");
	run_refuses(run, "a list of 4 numbers", "{\"samples\": [[0, 0, 1, 1, 1]]}");
	run_refuses(run, "\"probe of a sample\" is 2, outside 0..1",
		    "{\"samples\": [[0, 2, 1, 1]]}");
	run_refuses(run, "\"latency_us of a sample\" is -2",
		    "{\"samples\": [[0, 0, 1, 5], [0, 0, 1, -2]]}");
	run_refuses(run, "\"window of a sample\" is 1000000",
		    "{\"samples\": [[1000000, 0, 1, 1]]}");
	run_refuses(run, "not a whole number", "{\"samples\": [[0, 0, 1, 1.5]]}");
	run_line(run, "{\"samples\": []}");
	assert_int_equal(run->records->samples, 0);
}

/* A good "about" but for one change. */
static void refuses_about(const char *from, const char *to, const char *what)
{
	struct run run = {.records = uc_records_new()};
	char good[1024], line[1200];
	const char *at;

	snprintf(good, sizeof(good), ABOUT_FORMAT, "6.12", 1u);
	at = strstr(good, from);
	assert_non_null(at);
	snprintf(line, sizeof(line), "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
	run_refuses(&run, what, line);
	assert_false(run.records->has_about);
	run_line(&run, "%s", good);
	run_stop(&run);
}

/* What --policies takes is a name here, too. */
static void boosts_are_names(void **state)
{
	struct run run = {.records = uc_records_new()};

	(void)state;
	run_line(&run,
		 "{\"about\": {\"kernel\": \"6.12\", \"vcpus\": 2, \"host_cpus\": 2, "
		 "\"competitors\": 1, \"competitor_vcpus\": 4, \"load\": \"busy\", "
		 "\"quota_percent\": 0, \"rate_hz\": 100, \"window_ms\": 1000, \"seconds\": 75, "
		 "\"seed\": 1, \"policies\": [\"pinned\", \"pinned+boost\", \"follow-boost\"], "
		 "\"probes\": [\"icmp\"], \"where\": \"lab\", \"host\": \"QEMU\", "
		 "\"version\": \"0.1\"}}");
	assert_true(run.records->has_about);
	run_stop(&run);
}

static void the_conditions_are_checked(void **state)
{
	(void)state;
	refuses_about("\"vcpus\": 2", "\"vcpus\": 0", "\"vcpus\" is 0, outside 1..1024");
	refuses_about("\"vcpus\": 2", "\"vcpus\": 1025", "\"vcpus\" is 1025, outside");
	refuses_about("\"seed\": 1", "\"seed\": \"1\"", "\"seed\" is missing");
	refuses_about("\"kernel\": \"6.12\"", "\"kernel\": 6", "\"kernel\" is missing");
	refuses_about("[\"pinned\", \"follow\"]", "[]", "\"policies\" is not a list of 1 to 16");
	refuses_about("[\"pinned\", \"follow\"]", "[\"a\", \"a\"]", "\"policies\" holds");
	refuses_about("[\"pinned\", \"follow\"]", "[\"a'b\"]", "\"policies\" holds");
	refuses_about("[\"pinned\", \"follow\"]", "[\"\"]", "\"policies\" holds");
	refuses_about("[\"pinned\", \"follow\"]", "[\"a23456789012345678901234567890123\"]",
		      "\"policies\" holds");
	refuses_about("[\"icmp\", \"task\"]", "[\"`reboot`\"]", "\"probes\" holds");
	refuses_about("\"load\": \"busy\"", "\"load\": \"so busy\"", "\"load\" is missing or not");
}

static void nothing_comes_before_the_conditions_or_after_the_end(void **state)
{
	struct run early = {.records = uc_records_new()};

	run_refuses(&early, "\"window\" before \"about\"", WINDOW("0", LISTS));
	run_refuses(&early, "\"samples\" before \"about\"", "{\"samples\": []}");
	run_refuses(&early, "\"end\" before \"about\"", END_LINE);
	run_stop(&early);
	run_line(*state, END_LINE);
	run_refuses(*state, "\"window\" after \"end\"", WINDOW("0", LISTS));
}

static void the_latest_progress_is_known(void **state)
{
	struct run *run = *state;
	struct uc_run_progress p;

	assert_false(uc_records_progress(run->records, &p));
	run_line(run, "{\"progress\": {\"text\": \"a\", \"done_ms\": 1, \"total_ms\": 9}}");
	run_line(run, "{\"progress\": {\"text\": \"b\", \"done_ms\": 2, \"total_ms\": 9}}");
	run_refuses(run, "\"done_ms\" is -1",
		    "{\"progress\": {\"text\": \"c\", \"done_ms\": -1, \"total_ms\": 9}}");
	assert_true(uc_records_progress(run->records, &p));
	assert_string_equal(p.text, "b");
	assert_int_equal(p.done_ms, 2);
	assert_int_equal(p.total_ms, 9);
}

static void a_failed_run_says_why(void **state)
{
	struct run *run = *state;

	assert_int_equal(uc_records_add(run->records,
					"{\"error\": {\"status\": 22, \"text\": \"no initrd\"}}",
					&run->diag),
			 -EIO);
	assert_int_equal(run->diag.status, 22);
	assert_string_equal(run->diag.text, "no initrd");
	run_refuses(run, "\"status\" is 0", "{\"error\": {\"status\": 0, \"text\": \"\"}}");
}

static void what_a_guest_says_cannot_steer_a_terminal(void **state)
{
	struct run *run = *state;
	struct uc_run_progress p;

	run_line(run, "{\"progress\": {\"text\": \"a\\u001b[31mb\\nc\\u009bd\\u007f\\u00e9\", "
		      "\"done_ms\": 0, \"total_ms\": 0}}");
	assert_true(uc_records_progress(run->records, &p));
	assert_string_equal(p.text, "a?[31mb?c??d?\xc3\xa9");
}

static void a_long_text_is_cut_at_a_character(void **state)
{
	struct run *run = *state;
	struct uc_run_progress p;
	char text[300] = "";

	/* 127 bytes are kept: 126 and half of a character of two. */
	memset(text, 'x', 126);
	strcat(text, "\xc3\xa9\xc3\xa9");
	run_line(run, "{\"progress\": {\"text\": \"%s\", \"done_ms\": 0, \"total_ms\": 0}}", text);
	assert_true(uc_records_progress(run->records, &p));
	assert_int_equal(strlen(p.text), 126);
}

static void notices_are_kept_once_and_bounded(void **state)
{
	struct run *run = *state;

	run_line(run, "{\"notice\": \"same\"}");
	run_line(run, "{\"notice\": \"same\"}");
	assert_int_equal(run->records->notices.count, 1);
	for (int i = 0; i < UC_NOTICES_MAX + 5; i++)
		run_line(run, "{\"notice\": \"number %d\"}", i);
	assert_int_equal(run->records->notices.count, UC_NOTICES_MAX);
	assert_int_equal(run->records->notices.dropped, 6);
}

static void a_run_without_load_has_no_report(void **state)
{
	struct run *run = *state, none = {.records = uc_records_new()};

	assert_int_equal(uc_records_finish(none.records, &none.diag), -EINVAL);
	assert_has(none.diag.text, "before it said anything");
	run_stop(&none);
	run_window(run, "idle", PINNED);
	assert_int_equal(uc_records_finish(run->records, &run->diag), -EINVAL);
	assert_has(run->diag.text, "before its first window under load");
	run_window(run, "load", PINNED);
	memset(&run->diag, 0, sizeof(run->diag));
	assert_int_equal(uc_records_finish(run->records, &run->diag), 0);
}

/* Under a sanitizer this finds what reads or writes where it must not. */
static void a_garbled_stream_does_no_harm(void **state)
{
	static const char good[] = WINDOW("3", LISTS);
	struct run *run = *state;
	struct uc_random random = uc_random_new(5, 5);
	char line[sizeof(good)];
	int refused = 0;

	for (int i = 0; i < 20000; i++) {
		struct uc_diag diag = {0};

		memcpy(line, good, sizeof(good));
		for (uint32_t n = 1 + uc_random_below(&random, 3); n; n--)
			line[uc_random_below(&random, sizeof(good) - 1)] =
				(char)(1 + uc_random_below(&random, 255));
		refused += uc_records_add(run->records, line, &diag) == -EINVAL;
	}
	assert_in_range(refused, 10000, 20000);
	/* What was taken is right. */
	for (size_t i = 0; i < run->records->windows; i++)
		assert_ptr_equal(
			uc_window_by_id(run->records, (uint32_t)run->records->window[i].id),
			&run->records->window[i]);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_cut_line_is_refused),
		CASE(a_line_of_no_known_kind_is_refused),
		CASE(an_error_says_which_line),
		CASE(windows_are_checked),
		CASE(each_member_of_a_window_is_needed),
		CASE(samples_are_checked),
		CASE(boosts_are_names),
		CASE(the_conditions_are_checked),
		CASE(nothing_comes_before_the_conditions_or_after_the_end),
		CASE(the_latest_progress_is_known),
		CASE(a_failed_run_says_why),
		CASE(what_a_guest_says_cannot_steer_a_terminal),
		CASE(a_long_text_is_cut_at_a_character),
		CASE(notices_are_kept_once_and_bounded),
		CASE(a_run_without_load_has_no_report),
		CASE(a_garbled_stream_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
