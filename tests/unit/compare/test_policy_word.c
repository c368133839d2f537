/* SPDX-License-Identifier: MIT */
/* A policy as `compare` takes it: uc_compare_policy_parse(). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "compare/measure/measure.h"

static const struct {
	const char *suffix;
	enum uc_boost_when boost;
} forms[] = {{"", UC_BOOST_FOLLOW}, {"+boost", UC_BOOST_ALWAYS}, {"-boost", UC_BOOST_NEVER}};

static void each_policy_has_three_forms(void **state)
{
	enum uc_boost_when boost;
	enum uc_policy policy;
	char word[64];

	(void)state;
	for (int p = 0; p < UC_POLICIES; p++) {
		for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
			policy = UC_POLICIES;
			boost = UC_BOOST_WHENS;
			snprintf(word, sizeof(word), "%s%s", uc_policy_name((enum uc_policy)p),
				 forms[i].suffix);
			assert_true(strlen(word) < UC_COMPARE_WORD_MAX);
			assert_int_equal(uc_compare_policy_parse(word, &policy, &boost), 0);
			assert_int_equal(policy, p);
			assert_int_equal(boost, forms[i].boost);
		}
	}
}

static void assert_bad(const char *word)
{
	enum uc_boost_when boost = UC_BOOST_FOLLOW;
	enum uc_policy policy = UC_POLICIES;

	if (uc_compare_policy_parse(word, &policy, &boost) != -EINVAL)
		fail_msg("\"%s\" is taken", word);
	assert_int_equal(policy, UC_POLICIES);
}

static void other_words_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"+boost",
		"-boost",
		"+",
		"-",
		"boost",
		"nobody",
		"nobody+boost",
		"nobody-boost",
		"Follow",
		"follow ",
		" follow",
		"follow+",
		"follow-",
		"follow+boos",
		"follow+boosts",
		"follow+Boost",
		"follow-Boost",
		"followboost",
		"follow boost",
		"follow+boost+boost",
		"follow-boost-boost",
		"follow-boost+boost",
		"follow+boost-boost",
		"follow+boost ",
		"round",
		"round-boost",
		"pinned,follow",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_bad(bad[i]);
}

/* However long: also where the name alone would be good. */
static void long_words_are_refused(void **state)
{
	char word[512];

	(void)state;
	for (size_t length = 20; length < sizeof(word) - 8; length++) {
		for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
			memset(word, 'f', length);
			memcpy(word, "follow", 6);
			strcpy(word + length, forms[i].suffix);
			assert_bad(word);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_policy_has_three_forms),
		cmocka_unit_test(other_words_are_refused),
		cmocka_unit_test(long_words_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
