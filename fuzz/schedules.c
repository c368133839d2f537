/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target "schedules": the first byte is a scenario of the explorer, the rest says at each
 * access who goes on and, for a hostile guest, which bit it flips. libFuzzer's coverage then looks
 * for schedules that reach new code, deeper than "explore" goes with few preemptions. What fails is
 * printed as a schedule for explore --replay.
 */
#include <stdio.h>
#include <stdlib.h>

#include "target.h"
#include "tests/explore/moves.h"
#include "tests/explore/scenarios.h"
#include "tests/explore/scene.h"
#include "tests/explore/search.h"

static const uint8_t *bytes;
static size_t left;

static uint32_t byte(void)
{
	if (!left)
		return 0;
	left--;
	return *bytes++;
}

/* Of a byte's values most go on: else no actor would get far. */
static uint32_t choose(uint32_t step, uint32_t enabled, int current)
{
	uint32_t b = byte(), n;

	(void)step;
	if (current >= 0 && b < 0xd0)
		return (uint32_t)current;
	for (n = b % (uint32_t)__builtin_popcount(enabled); n; n--)
		enabled &= enabled - 1;
	return (uint32_t)__builtin_ctz(enabled);
}

static uint32_t flip(uint32_t step, const volatile void *address)
{
	uint32_t bits, first = scene_flips_at(address, &bits), b;

	(void)step;
	if (first == NO_FLIP)
		return NO_FLIP;
	b = byte();
	return b < 0xd0 ? NO_FLIP : first + byte() % bits;
}

#define FOR_EACH(s)                                                                                \
	for (const struct scenario *const *t_ = scenario_tables; *t_; t_++)                        \
		for (const struct scenario *s = *t_; s->name; s++)

static const struct scenario *scenario(uint32_t nr)
{
	uint32_t count = 0;

	FOR_EACH(s)
	count++;
	nr %= count;
	FOR_EACH(s)
	if (!nr--)
		return s;
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct scenario *last;
	static struct found found;
	const struct scenario *s;
	struct strategy strategy = {.choose = choose};

	bytes = data;
	left = size;
	s = scenario(byte());
	if (s != last && last)
		engine_forget();
	if (s != last)
		engine_prepare(s);
	last = s;
	strategy.flip = s->is_hostile ? flip : NULL;
	found.failure = engine_run(&strategy, &found.schedule);
	if (!found.failure)
		return 0;
	search_minimise(&found);
	print_failure(s->name, found.failure, &found.schedule);
	abort();
}
