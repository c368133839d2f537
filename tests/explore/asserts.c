/* SPDX-License-Identifier: MIT */
/*
 * cmocka's assertions, for the fixture that the explorer shares with the unit tests: one that fails
 * ends the schedule.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine.h"
#include "tests/unit/lib/fixture.h"

void _assert_true(const LargestIntegralType result, const char *const expression,
		  const char *const file, const int line)
{
	if (!result)
		engine_fail("%s:%d: %s", file, line, expression);
}

void _assert_int_equal(const LargestIntegralType a, const LargestIntegralType b,
		       const char *const file, const int line)
{
	if (a != b)
		engine_fail("%s:%d: %lld is not %lld", file, line, (long long)a, (long long)b);
}

void print_error(const char *const format, ...)
{
	(void)format;
}

void _fail(const char *const file, const int line)
{
	engine_fail("%s:%d", file, line);
}
