/* SPDX-License-Identifier: MIT */
/* The option parser, against a table of its own that has every type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"

static struct {
	bool flag;
	const char *str, *file;
	struct uc_opt_list files;
	unsigned int uint;
	uint64_t size;
} got;

static const struct uc_opt opts[] = {
	{"flag", UC_OPT_FLAG, NULL, "", &got.flag},
	{"str", UC_OPT_STR, "STR", "", &got.str},
	{"file", UC_OPT_FILE, "FILE", "", &got.file},
	{"files", UC_OPT_FILES, "FILE", "", &got.files},
	{"uint", UC_OPT_UINT, "N", "", &got.uint, 1, 128},
	{"size", UC_OPT_SIZE, "SIZE", "", &got.size, 64ull << 20, 1ull << 40},
	{NULL},
};

static const struct uc_command plain = {.name = "t", .args = "", .opts = opts};
static const struct uc_command with_rest = {
	.name = "t", .args = "CMD", .opts = opts, .rest_is_command = true};

#define WORDS 12

static struct uc_diag diag;
static int rest;

/* Parses the words up to NULL behind a command name. */
static int parse(const struct uc_command *cmd, ...)
{
	char *argv[WORDS] = {"t"};
	int argc = 1;
	va_list ap;

	va_start(ap, cmd);
	while ((argv[argc] = va_arg(ap, char *)))
		argc++;
	va_end(ap);
	memset(&got, 0, sizeof(got));
	memset(&diag, 0, sizeof(diag));
	rest = -1;
	return uc_opts_parse(cmd, argc, argv, &rest, &diag);
}

static void assert_refused(int rc, const char *says)
{
	assert_true(rc < 0);
	assert_int_equal(diag.status, UC_EXIT_USAGE);
	if (!strstr(diag.text, says))
		fail_msg("\"%s\" does not say \"%s\"", diag.text, says);
	assert_null(strchr(diag.text, '\n'));
}

static void both_forms_store_the_same(void **state)
{
	(void)state;
	assert_int_equal(parse(&plain, "--str", "a=b", "--file=x", "--uint", "128", NULL), 0);
	assert_string_equal(got.str, "a=b");
	assert_string_equal(got.file, "x");
	assert_int_equal(got.uint, 128);
	assert_int_equal(parse(&plain, "--str=a=b", "--file", "x", "--uint=1", "--flag", NULL), 0);
	assert_string_equal(got.str, "a=b");
	assert_string_equal(got.file, "x");
	assert_int_equal(got.uint, 1);
	assert_true(got.flag);
}

static void a_value_may_look_like_an_option(void **state)
{
	(void)state;
	assert_int_equal(parse(&plain, "--str", "--flag", NULL), 0);
	assert_string_equal(got.str, "--flag");
	assert_false(got.flag);
}

static void files_collect_in_order_and_have_a_limit(void **state)
{
	struct uc_opt_list *list = &got.files;
	char *argv[UC_OPT_LIST_MAX + 3] = {"t"};

	(void)state;
	assert_int_equal(parse(&plain, "--files", "a", "--files=b", NULL), 0);
	assert_int_equal(list->count, 2);
	assert_string_equal(list->word[0], "a");
	assert_string_equal(list->word[1], "b");
	for (int i = 1; i <= UC_OPT_LIST_MAX + 1; i++)
		argv[i] = "--files=x";
	memset(&got, 0, sizeof(got));
	assert_int_equal(uc_opts_parse(&plain, UC_OPT_LIST_MAX + 1, argv, &rest, &diag), 0);
	assert_int_equal(list->count, UC_OPT_LIST_MAX);
	memset(&got, 0, sizeof(got));
	assert_refused(uc_opts_parse(&plain, UC_OPT_LIST_MAX + 2, argv, &rest, &diag), "--files");
}

static void sizes_have_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"0", 0},
		{"1", 1ull << 20},
		{"512M", 512ull << 20},
		{"2g", 2ull << 30},
		{"4096K", 4ull << 20},
		{"1T", 1ull << 40},
		{"16777215T", 16777215ull << 40},
	};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(uc_parse_size(good[i].text, &bytes), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
}

static void malformed_sizes_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"M",
		"-1",
		"+1",
		" 1",
		"1MM",
		"1X",
		"1.5G",
		"0x10",
		"1 M",
		"99999999999999999999",
		"16777216T",
		"1K2",
		"1MB",
		"12\n",
	};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!uc_parse_size(bad[i], &bytes))
			fail_msg("\"%s\" was taken for a size", bad[i]);
}

static void sizes_outside_the_range_are_refused(void **state)
{
	(void)state;
	assert_refused(parse(&plain, "--size", "63M", NULL), "64M");
	assert_refused(parse(&plain, "--size=2T", NULL), "1048576M");
	assert_int_equal(parse(&plain, "--size=64M", NULL), 0);
	assert_int_equal(got.size, 64ull << 20);
}

static void a_size_is_whole_pages(void **state)
{
	(void)state;
	assert_int_equal(parse(&plain, "--size=65537K", NULL), 0);
	assert_int_equal(got.size, 64ull << 20);
}

static void malformed_numbers_are_refused(void **state)
{
	static char *const bad[] = {"0", "129", "-1", "1x", "x", " 1", "99999999999999999999",
				    "+1"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_refused(parse(&plain, "--uint", bad[i], NULL), "from 1 to 128");
		assert_int_equal(got.uint, 0);
	}
}

static void unknown_options_are_refused_by_their_whole_name(void **state)
{
	(void)state;
	assert_refused(parse(&plain, "--nope", NULL), "unknown option --nope");
	assert_refused(parse(&plain, "--fla", NULL), "unknown option --fla");
	assert_refused(parse(&plain, "--flags", NULL), "unknown option --flags");
	assert_refused(parse(&plain, "-f", NULL), "unknown option -f");
}

static void a_missing_value_is_refused(void **state)
{
	(void)state;
	assert_refused(parse(&plain, "--str", NULL), "--str needs a value");
	assert_refused(parse(&plain, "--file=", NULL), "--file needs a value");
	assert_refused(parse(&plain, "--file", "", NULL), "--file needs a value");
	assert_refused(parse(&plain, "--flag=1", NULL), "takes no value");
}

static void stray_words_are_refused(void **state)
{
	(void)state;
	assert_refused(parse(&plain, "--flag", "stray", NULL), "stray");
	assert_refused(parse(&plain, "--", "stray", NULL), "stray");
}

static void a_command_keeps_its_own_options(void **state)
{
	(void)state;
	assert_int_equal(parse(&with_rest, "--flag", "cmd", "--nope", NULL), 0);
	assert_int_equal(rest, 2);
	assert_int_equal(parse(&with_rest, "--flag", "--", "--nope", NULL), 0);
	assert_int_equal(rest, 3);
	assert_int_equal(parse(&with_rest, "-", NULL), 0);
	assert_int_equal(rest, 1);
}

static void help_wins_over_what_follows(void **state)
{
	(void)state;
	assert_int_equal(parse(&plain, "--help", "--nope", NULL), 1);
	assert_int_equal(parse(&plain, "-h", NULL), 1);
	assert_refused(parse(&plain, "--nope", "--help", NULL), "--nope");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_forms_store_the_same),
		cmocka_unit_test(a_value_may_look_like_an_option),
		cmocka_unit_test(files_collect_in_order_and_have_a_limit),
		cmocka_unit_test(sizes_have_units),
		cmocka_unit_test(malformed_sizes_are_refused),
		cmocka_unit_test(sizes_outside_the_range_are_refused),
		cmocka_unit_test(a_size_is_whole_pages),
		cmocka_unit_test(malformed_numbers_are_refused),
		cmocka_unit_test(unknown_options_are_refused_by_their_whole_name),
		cmocka_unit_test(a_missing_value_is_refused),
		cmocka_unit_test(stray_words_are_refused),
		cmocka_unit_test(a_command_keeps_its_own_options),
		cmocka_unit_test(help_wins_over_what_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
