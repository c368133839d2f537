/* SPDX-License-Identifier: MIT */
/*
 * An interval is only shown whole: where one bound is not known, the words say which, or show
 * none. Called by sections.c.
 */
#include "compare/report/words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void uc_words_ms(char *text, size_t size, double us)
{
	if (isnan(us))
		snprintf(text, size, "-");
	else if (isinf(us))
		snprintf(text, size, us > 0 ? "lost" : "-");
	else
		snprintf(text, size, "%.*f", fabs(us) < 1000 ? 3 : 2, us / 1000);
}

static void between(char *text, size_t size, const char *value, const char *low, const char *high)
{
	snprintf(text, size, "%s [%s, %s]", value, low, high);
}

void uc_words_ms_estimate(char *text, size_t size, const struct uc_estimate *e)
{
	char value[24], low[24], high[24];

	uc_words_ms(value, sizeof(value), e->value);
	uc_words_ms(low, sizeof(low), e->low);
	uc_words_ms(high, sizeof(high), e->high);
	if (isnan(e->value) || isnan(e->low) || isnan(e->high))
		snprintf(text, size, "%s", value);
	else
		between(text, size, value, low, high);
}

static void times(char *text, size_t size, double value)
{
	if (isinf(value))
		snprintf(text, size, value > 0 ? "no bound" : "-");
	else
		snprintf(text, size, "%.*f",
			 fabs(value) < 10    ? 2
			 : fabs(value) < 100 ? 1
					     : 0,
			 value);
}

void uc_words_ratio(char *text, size_t size, const struct uc_estimate *e)
{
	char value[24], low[24], high[24];

	times(value, sizeof(value), e->value);
	times(low, sizeof(low), e->low);
	times(high, sizeof(high), e->high);
	if (isnan(e->value))
		snprintf(text, size, "-");
	else if (isinf(e->value) && (isnan(e->low) || isinf(e->low) || e->low <= 0))
		snprintf(text, size, "beyond measure");
	else if (isinf(e->value))
		snprintf(text, size, "beyond measure (at least %s)", low);
	else if (isnan(e->low) && isnan(e->high))
		snprintf(text, size, "%s", value);
	else
		between(text, size, value, isnan(e->low) ? "no bound" : low,
			isnan(e->high) ? "no bound" : high);
}

void uc_words_change(char *text, size_t size, const struct uc_estimate *e)
{
	if (isnan(e->value))
		snprintf(text, size, "-");
	else if (isnan(e->low) || isnan(e->high))
		snprintf(text, size, "%+.1f %%", e->value * 100);
	else
		snprintf(text, size, "%+.1f %% [%+.1f, %+.1f]", e->value * 100, e->low * 100,
			 e->high * 100);
}

void uc_words_number(char *text, size_t size, double value)
{
	int decimals = value < 1 ? 4 : value < 100 ? 2 : value < 1000 ? 1 : 0;

	if (isnan(value))
		snprintf(text, size, "-");
	else if (value >= 1e9)
		snprintf(text, size, "%.2f G", value / 1e9);
	else if (value >= 1e6)
		snprintf(text, size, "%.2f M", value / 1e6);
	else
		snprintf(text, size, "%.*f", value == 0 ? 0 : decimals, value);
}
