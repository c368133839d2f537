/* SPDX-License-Identifier: MIT */
/*
 * Runs one schedule of a scenario over the library's real code: each actor is a coroutine that
 * stops before each atomic access (access.h), and a strategy says who goes on. One thread, so a
 * schedule is repeated exactly by its list of moves.
 *
 * A *move* is a choice that differs from the default, which is: whoever runs goes on; when it waits
 * or ends, the first that can. `step` counts the accesses of all actors.
 */
#ifndef TESTS_EXPLORE_ENGINE_H
#define TESTS_EXPLORE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACTORS	  6u
#define MOVES	  512u
#define STEPS_MAX 6000u /* of one schedule: more is a loop without an end */
#define NO_FLIP	  UINT32_MAX

struct scene;

struct actor {
	const char *name;
	void (*run)(struct scene *s, uint32_t arg);
	uint32_t arg;
	bool is_vcpu; /* waits for kicks for ever: the schedule ends without it */
};

struct scenario {
	const char *name, *what;
	void (*setup)(struct scene *s);
	struct actor actors[ACTORS];
	void (*check)(struct scene *s);
	uint32_t preemptions; /* all schedules with so many, in the unit suite */
	bool is_hostile;      /* guest words of machine a change at any point */
};

struct move {
	uint32_t step;
	bool is_flip;
	uint32_t value; /* an actor, or a bit of scene_words */
};

struct schedule {
	struct move moves[MOVES];
	uint32_t nr;
};

/* Who decides. `enabled` has a bit per actor that can run; `current` is -1 when it cannot. */
struct strategy {
	uint32_t (*choose)(uint32_t step, uint32_t enabled, int current);
	/* A bit to flip before this access, or NO_FLIP; may be NULL. */
	uint32_t (*flip)(uint32_t step, const volatile void *address);
	bool at_every_access; /* not only where actors can meet */
};

/* Build the scenario's world, and keep it to start each schedule from. */
void engine_prepare(const struct scenario *scenario);
void engine_forget(void);
/* NULL, or what went wrong; *taken are the moves. */
const char *engine_run(const struct strategy *strategy, struct schedule *taken);

/* A place where actors meet has been seen for the first time since the last call of this. */
bool engine_has_learned(void);
uint32_t engine_steps(void); /* of the last schedule */
/* The most guest words that a call with a bound touched since engine_prepare(). */
uint32_t engine_most_words(void);
/* Print each access. */
void engine_trace(bool on);
uint32_t engine_nr_actors(void);
/* The schedule that runs, for a process that dies of it. */
const struct schedule *engine_taken(void);

/* ---- for actors ---- */

/* Until *word is not `old` any more: returns what it is then. */
uint32_t engine_wait(const uint32_t *word, uint32_t old);
/* From here on the actor may access so many guest words; 0: any number. */
void engine_bound(uint32_t words);
_Noreturn void engine_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
