/* SPDX-License-Identifier: MIT */
/* See search.h. */
#include "search.h"

#include <stdlib.h>
#include <string.h>

#include "scene.h"

#define CHOICES STEPS_MAX
/* Schedules at random before an exhaustive search, which then has not to start again. */
#define LEARN 400

/* ---- depth first ---- */

static struct {
	struct choice {
		uint32_t untried; /* actors */
		uint8_t chosen;
		bool preempts; /* a choice other than the first is a preemption */
		uint8_t usual;
	} choice[CHOICES];
	uint32_t depth, prefix, budget, spent;
} dfs;

static uint32_t choose_again(const struct choice *c)
{
	dfs.depth++;
	dfs.spent += c->preempts && c->chosen != c->usual;
	return c->chosen;
}

static uint32_t choose_first(uint32_t step, uint32_t enabled, int current)
{
	struct choice *c = &dfs.choice[dfs.depth];

	(void)step;
	if (dfs.depth < dfs.prefix)
		return choose_again(c);
	c->preempts = current >= 0;
	c->usual = (uint8_t)(c->preempts ? current : __builtin_ctz(enabled));
	c->untried = c->preempts && dfs.spent == dfs.budget ? 0 : enabled & ~(1u << c->usual);
	c->chosen = c->usual;
	if (dfs.depth < CHOICES - 1)
		dfs.depth++;
	return c->chosen;
}

/* To the deepest choice that has something untried; false when there is none. */
static bool next_branch(void)
{
	struct choice *c;

	while (dfs.depth && !dfs.choice[dfs.depth - 1].untried)
		dfs.depth--;
	if (!dfs.depth)
		return false;
	c = &dfs.choice[dfs.depth - 1];
	c->chosen = (uint8_t)__builtin_ctz(c->untried);
	c->untried &= c->untried - 1;
	dfs.prefix = dfs.depth;
	return true;
}

static void dfs_begin(uint32_t preemptions)
{
	dfs.depth = dfs.prefix = 0;
	dfs.budget = preemptions;
}

static bool run_dfs(const struct strategy *strategy, struct found *found)
{
	dfs.depth = dfs.spent = 0;
	found->failure = engine_run(strategy, &found->schedule);
	found->schedules++;
	return !found->failure;
}

void search_all(uint32_t preemptions, struct found *found)
{
	static const struct strategy strategy = {.choose = choose_first};

	search_random(LEARN, 1, false, found);
	if (found->failure)
		return;
	do {
		engine_has_learned();
		found->schedules = 0;
		dfs_begin(preemptions);
		while (run_dfs(&strategy, found) && !engine_has_learned())
			if (!next_branch())
				return;
	} while (!found->failure);
}

/* ---- each flip at each access ---- */

/* A word that is flipped matters to its next access only: so it is flipped right before that. */
static struct {
	struct {
		uint32_t step, first, bits;
	} access[STEPS_MAX];
	uint32_t nr;
	uint32_t step, bit; /* the one that is flipped */
	bool always;	    /* at each access to its word, by a guest that never tires */
} guest;

static uint32_t flip_none(uint32_t step, const volatile void *address)
{
	uint32_t bits, first = scene_flips_at(address, &bits);

	if (first != NO_FLIP && guest.nr < STEPS_MAX) {
		guest.access[guest.nr].step = step;
		guest.access[guest.nr].first = first;
		guest.access[guest.nr++].bits = bits;
	}
	return NO_FLIP;
}

static uint32_t flip_one(uint32_t step, const volatile void *address)
{
	uint32_t bits, first;

	if (!guest.always)
		return step == guest.step ? guest.bit : NO_FLIP;
	first = scene_flips_at(address, &bits);
	return first <= guest.bit && guest.bit < first + bits ? guest.bit : NO_FLIP;
}

static bool flip_bits_of(uint32_t access, struct found *found)
{
	static const struct strategy strategy = {.choose = choose_first, .flip = flip_one};

	guest.step = guest.access[access].step;
	for (uint32_t bit = 0; bit < guest.access[access].bits; bit++) {
		guest.bit = guest.access[access].first + bit;
		if (!run_dfs(&strategy, found))
			return false;
	}
	return true;
}

static bool is_first_access_to_its_word(uint32_t access)
{
	for (uint32_t i = 0; i < access; i++)
		if (guest.access[i].first == guest.access[access].first)
			return false;
	return true;
}

/* Once before each access; and, for each word, before all of them. */
static bool run_flips(struct found *found)
{
	dfs.prefix = dfs.depth;
	for (uint32_t i = 0; i < guest.nr; i++) {
		guest.always = false;
		if (!flip_bits_of(i, found))
			return false;
		guest.always = true;
		if (is_first_access_to_its_word(i) && !flip_bits_of(i, found))
			return false;
	}
	return true;
}

void search_flips(uint32_t preemptions, struct found *found)
{
	static const struct strategy strategy = {.choose = choose_first, .flip = flip_none};

	search_random(LEARN, 1, false, found);
	found->schedules = 0;
	dfs_begin(preemptions);
	while (!found->failure) {
		guest.nr = 0;
		if (!run_dfs(&strategy, found) || !run_flips(found))
			return;
		dfs.depth = dfs.prefix;
		if (!next_branch())
			return;
	}
}

/* ---- at random ---- */

static struct {
	uint64_t state;
	uint32_t rarely; /* one choice in so many is a preemption */
	uint32_t flips;	 /* left */
} dice;

static uint32_t below(uint32_t n)
{
	dice.state ^= dice.state << 13;
	dice.state ^= dice.state >> 7;
	dice.state ^= dice.state << 17;
	return (uint32_t)(dice.state >> 20) % n;
}

static uint32_t choose_at_random(uint32_t step, uint32_t enabled, int current)
{
	uint32_t n;

	(void)step;
	if (current >= 0 && below(dice.rarely))
		return (uint32_t)current;
	for (n = below((uint32_t)__builtin_popcount(enabled)); n; n--)
		enabled &= enabled - 1;
	return (uint32_t)__builtin_ctz(enabled);
}

static uint32_t flip_at_random(uint32_t step, const volatile void *address)
{
	uint32_t bits, first = scene_flips_at(address, &bits);

	(void)step;
	if (first == NO_FLIP || !dice.flips || below(6))
		return NO_FLIP;
	dice.flips--;
	return first + below(bits);
}

void search_random(uint64_t nr, uint64_t seed, bool flips, struct found *found)
{
	struct strategy strategy = {.choose = choose_at_random,
				    .flip = flips ? flip_at_random : NULL};

	found->schedules = 0;
	found->failure = NULL;
	for (uint64_t i = 0; i < nr && !found->failure; i++) {
		dice.state = (seed * 0x9e3779b97f4a7c15 + i) * 0xbf58476d1ce4e5b9 | 1;
		below(2);
		dice.rarely = 2u << below(5);
		dice.flips = flips ? 1 + below(8) : 0;
		found->failure = engine_run(&strategy, &found->schedule);
		found->schedules++;
	}
}

/* ---- again ---- */

static const struct schedule *script;
static uint32_t script_at;

static uint32_t choose_by_script(uint32_t step, uint32_t enabled, int current)
{
	uint32_t usual = current >= 0 ? (uint32_t)current : (uint32_t)__builtin_ctz(enabled);

	for (; script_at < script->nr; script_at++) {
		const struct move *m = &script->moves[script_at];

		if (m->step > step || m->is_flip)
			break;
		if (m->step == step)
			return script->moves[script_at++].value;
	}
	return usual;
}

static uint32_t flip_by_script(uint32_t step, const volatile void *address)
{
	const struct move *m = &script->moves[script_at];

	(void)address;
	if (script_at >= script->nr || m->step != step || !m->is_flip)
		return NO_FLIP;
	script_at++;
	return m->value;
}

const char *search_replay(const struct schedule *schedule, struct schedule *taken)
{
	static const struct strategy strategy = {
		.choose = choose_by_script, .flip = flip_by_script, .at_every_access = true};

	script = schedule;
	script_at = 0;
	return engine_run(&strategy, taken);
}

static void leave_out(const struct schedule *from, uint32_t nr, struct schedule *to)
{
	to->nr = 0;
	for (uint32_t i = 0; i < from->nr; i++)
		if (i != nr)
			to->moves[to->nr++] = from->moves[i];
}

void search_minimise(struct found *found)
{
	static struct schedule less, taken;
	static char failure[256];
	const char *wrong;

	strncpy(failure, found->failure, sizeof(failure) - 1);
	found->failure = failure;
	for (uint32_t i = 0; i < found->schedule.nr;) {
		leave_out(&found->schedule, i, &less);
		wrong = search_replay(&less, &taken);
		if (!wrong) {
			i++;
			continue;
		}
		strncpy(failure, wrong, sizeof(failure) - 1);
		found->schedule = taken;
		if (taken.nr >= less.nr + 1)
			i++;
	}
}
