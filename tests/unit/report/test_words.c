/* SPDX-License-Identifier: MIT */
/* Numbers as a person reads them, the unknown and the infinite among them. */
#include "fixture.h"

#include <math.h>

#include "compare/report/words.h"

typedef void (*estimate_words)(char *text, size_t size, const struct uc_estimate *e);

static void assert_words(estimate_words words, double value, double low, double high,
			 const char *expected)
{
	struct uc_estimate e = {value, low, high};
	char text[64];

	words(text, sizeof(text), &e);
	assert_string_equal(text, expected);
}

static void assert_ms(double us, const char *expected)
{
	char text[64];

	uc_words_ms(text, sizeof(text), us);
	assert_string_equal(text, expected);
}

static void assert_number(double value, const char *expected)
{
	char text[64];

	uc_words_number(text, sizeof(text), value);
	assert_string_equal(text, expected);
}

static void latencies_are_in_ms(void **state)
{
	(void)state;
	assert_ms(7, "0.007");
	assert_ms(310, "0.310");
	assert_ms(-310, "-0.310");
	assert_ms(41234, "41.23");
	assert_ms(1234567, "1234.57");
	assert_ms(INFINITY, "lost");
	assert_ms(NAN, "-");
}

static void an_interval_is_shown_whole_or_not(void **state)
{
	(void)state;
	assert_words(uc_words_ms_estimate, 1500, 900, 2000, "1.50 [0.900, 2.00]");
	assert_words(uc_words_ms_estimate, 1500, NAN, NAN, "1.50");
	assert_words(uc_words_ms_estimate, 1500, NAN, 2000, "1.50");
	assert_words(uc_words_ms_estimate, 1500, 900, INFINITY, "1.50 [0.900, lost]");
	assert_words(uc_words_ms_estimate, NAN, NAN, NAN, "-");
}

static void ratios_admit_what_cannot_be_measured(void **state)
{
	(void)state;
	assert_words(uc_words_ratio, 9.5, 8, 12.5, "9.50 [8.00, 12.5]");
	assert_words(uc_words_ratio, 950, 8, INFINITY, "950 [8.00, no bound]");
	assert_words(uc_words_ratio, 950, 8, NAN, "950 [8.00, no bound]");
	assert_words(uc_words_ratio, 9.5, NAN, NAN, "9.50");
	assert_words(uc_words_ratio, INFINITY, 34.5, INFINITY, "beyond measure (at least 34.5)");
	assert_words(uc_words_ratio, INFINITY, NAN, NAN, "beyond measure");
	assert_words(uc_words_ratio, INFINITY, -2, INFINITY, "beyond measure");
	assert_words(uc_words_ratio, INFINITY, INFINITY, INFINITY, "beyond measure");
	assert_words(uc_words_ratio, NAN, NAN, NAN, "-");
}

static void changes_are_in_percent(void **state)
{
	(void)state;
	assert_words(uc_words_change, 0.012, -0.003, 0.028, "+1.2 % [-0.3, +2.8]");
	assert_words(uc_words_change, -0.5, NAN, NAN, "-50.0 %");
	assert_words(uc_words_change, NAN, NAN, NAN, "-");
}

static void numbers_have_three_digits_or_more(void **state)
{
	(void)state;
	assert_number(0, "0");
	assert_number(0.0321, "0.0321");
	assert_number(12.345, "12.35");
	assert_number(812.34, "812.3");
	assert_number(8123.4, "8123");
	assert_number(41930000, "41.93 M");
	assert_number(2.5e9, "2.50 G");
	assert_number(NAN, "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(latencies_are_in_ms),
		cmocka_unit_test(an_interval_is_shown_whole_or_not),
		cmocka_unit_test(ratios_admit_what_cannot_be_measured),
		cmocka_unit_test(changes_are_in_percent),
		cmocka_unit_test(numbers_have_three_digits_or_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
