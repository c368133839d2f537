/* SPDX-License-Identifier: MIT */
/* See engine.h. */
#include "engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "access.h"
#include "coroutine.h"
#include "meet.h"
#include "scene.h"

#define MAIN -1
/* The same word so often in a row: a guest's loop, which waits for another without a pause. */
#define SAME_MAX 24

enum state { READY, WAITING, IDLE, DONE }; /* IDLE: a vCPU that waits for a kick */

static struct actor_state {
	struct coroutine coroutine;
	enum state state;
	const volatile void *waits_for, *last;
	uint32_t same, words, bound;
	bool stale; /* somebody has written there since it looked */
} actors[ACTORS];

static struct {
	const struct scenario *scenario;
	const struct strategy *strategy;
	struct schedule *taken;
	struct coroutine main;
	uint32_t nr_actors, step, most_words;
	int current;
	bool begins; /* who runs was just switched to: it makes its access before the next choice */
	bool failed, trace;
	char failure[256];
	jmp_buf escape;
} e = {.current = MAIN};

static uint32_t enabled(void)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < e.nr_actors; i++)
		if (actors[i].state == READY)
			mask |= 1u << i;
	return mask;
}

static struct coroutine *coroutine_of(int who)
{
	return who == MAIN ? &e.main : &actors[who].coroutine;
}

static void switch_to(int who)
{
	int from = e.current;

	e.current = who;
	e.begins = true;
	coroutine_switch(coroutine_of(from), coroutine_of(who));
}

void engine_fail(const char *format, ...)
{
	va_list args;

	if (!e.failed) {
		va_start(args, format);
		vsnprintf(e.failure, sizeof(e.failure), format, args);
		va_end(args);
	}
	e.failed = true;
	if (e.current != MAIN)
		switch_to(MAIN);
	longjmp(e.escape, 1);
}

static void note(uint32_t value, bool is_flip)
{
	if (e.taken->nr < MOVES)
		e.taken->moves[e.taken->nr++] = (struct move){e.step, is_flip, value};
}

static int choose(uint32_t mask, int current)
{
	uint32_t first = (uint32_t)__builtin_ctz(mask);
	uint32_t usual = current == MAIN ? first : (uint32_t)current;
	uint32_t who = e.strategy->choose(e.step, mask, current);

	if (!(mask & (1u << who)))
		who = usual;
	if (who != usual)
		note(who, false);
	return (int)who;
}

/* The running actor cannot go on. */
static void leave(enum state state, const volatile void *waits_for)
{
	uint32_t mask;

	actors[e.current].state = state;
	actors[e.current].waits_for = waits_for;
	mask = enabled();
	switch_to(mask ? choose(mask, MAIN) : MAIN);
}

/* It may be a loop that waits; if so, and nobody else can end it, STEPS_MAX does. */
static void let_others_run(struct actor_state *me)
{
	uint32_t others = enabled() & ~(1u << (uint32_t)e.current);

	me->same = 0;
	if (others)
		switch_to(choose(others, MAIN));
	e.begins = true;
}

static void wake(const volatile void *address)
{
	for (uint32_t i = 0; i < e.nr_actors; i++) {
		if ((actors[i].state == WAITING || actors[i].state == IDLE) &&
		    actors[i].waits_for == address)
			actors[i].state = READY;
		actors[i].stale |= actors[i].last == address;
	}
}

static void count_words(struct actor_state *me, const volatile void *address)
{
	if (!me->bound || !scene_is_guest_word(address))
		return;
	if (++me->words > me->bound)
		engine_fail("a call accesses more than %u guest words", me->bound);
	if (me->words > e.most_words)
		e.most_words = me->words;
}

static void flip(const volatile void *address)
{
	uint32_t bit = e.strategy->flip ? e.strategy->flip(e.step, address) : NO_FLIP;

	if (bit == NO_FLIP)
		return;
	note(bit, true);
	wake(scene_flip(bit));
}

/* The access is about to be made: may somebody else run before it? */
static void stop_here(const volatile void *address, bool write)
{
	uint32_t me = (uint32_t)e.current;
	bool meet = meet_here(address, me, write);
	int who;

	if (!e.begins && (meet || e.strategy->at_every_access)) {
		who = choose(enabled(), e.current);
		if (who != e.current)
			switch_to(who);
	}
	e.begins = false;
	meet_goes_on(address, me, write);
}

static void trace(const volatile void *address, bool write, const void *caller)
{
	extern const char __executable_start;

	printf("%5u %-12s %s %-24s %tx\n", e.step, e.scenario->actors[e.current].name,
	       write ? "W" : "r", scene_name(address), (const char *)caller - &__executable_start);
}

void explore_access(const volatile void *address, int write)
{
	struct actor_state *me;

	if (e.current == MAIN)
		return;
	me = &actors[e.current];
	stop_here(address, write);
	flip(address);
	if (e.trace)
		trace(address, write, __builtin_return_address(0));
	e.step++;
	if (e.step > STEPS_MAX)
		engine_fail("no end after %u accesses", STEPS_MAX);
	count_words(me, address);
	me->same = address == me->last ? me->same + 1 : 0;
	me->last = address;
	if (write)
		wake(address);
	me->stale = false;
	if (me->same > SAME_MAX)
		let_others_run(me);
}

void explore_pause(void)
{
	/* Several turns between two looks are one. */
	if (e.current != MAIN && !actors[e.current].stale)
		leave(WAITING, actors[e.current].last);
}

uint32_t engine_wait(const uint32_t *word, uint32_t old)
{
	for (;;) {
		explore_access(word, 0);
		if (*word != old)
			return *word;
		leave(IDLE, word);
	}
}

void engine_bound(uint32_t words)
{
	if (e.current == MAIN)
		return;
	actors[e.current].words = 0;
	actors[e.current].bound = words;
}

static void begin(void *arg)
{
	const struct actor *actor = arg;

	coroutine_begun();
	actor->run(scene_get(), actor->arg);
	leave(DONE, NULL);
}

/* Nobody can go on: that is the end, unless somebody who is not a vCPU without work waits. */
static void check_end(void)
{
	for (uint32_t i = 0; i < e.nr_actors; i++)
		if (actors[i].state == WAITING ||
		    (actors[i].state == IDLE && !e.scenario->actors[i].is_vcpu))
			engine_fail("%s waits for ever", e.scenario->actors[i].name);
}

static void run_actors(void)
{
	for (uint32_t i = 0; i < e.nr_actors; i++) {
		struct coroutine *c = &actors[i].coroutine;

		actors[i] = (struct actor_state){.coroutine = *c};
		coroutine_start(&actors[i].coroutine, begin,
				(void *)(uintptr_t)&e.scenario->actors[i]);
	}
	switch_to(choose(enabled(), MAIN));
	if (e.failed)
		longjmp(e.escape, 1);
}

const char *engine_run(const struct strategy *strategy, struct schedule *taken)
{
	e.strategy = strategy;
	e.taken = taken;
	e.taken->nr = 0;
	e.step = 0;
	e.failed = false;
	e.current = MAIN;
	meet_begin();
	scene_restore();
	if (!setjmp(e.escape)) {
		run_actors();
		check_end();
		scene_check(e.scenario);
	}
	return e.failed ? e.failure : NULL;
}

void engine_prepare(const struct scenario *scenario)
{
	e.scenario = scenario;
	e.current = MAIN;
	e.most_words = 0;
	e.failed = false;
	for (e.nr_actors = 0; e.nr_actors < ACTORS && scenario->actors[e.nr_actors].run;)
		e.nr_actors++;
	meet_forget();
	if (setjmp(e.escape)) {
		fprintf(stderr, "%s: set-up: %s\n", scenario->name, e.failure);
		__builtin_trap();
	}
	scene_create(scenario);
}

void engine_forget(void)
{
	scene_destroy();
}

bool engine_has_learned(void)
{
	return meet_has_learned();
}

uint32_t engine_steps(void)
{
	return e.step;
}

void engine_trace(bool on)
{
	e.trace = on;
}

uint32_t engine_most_words(void)
{
	return e.most_words;
}

uint32_t engine_nr_actors(void)
{
	return e.nr_actors;
}

const struct schedule *engine_taken(void)
{
	return e.taken;
}
