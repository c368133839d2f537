/* SPDX-License-Identifier: MIT */
/*
 * What the actors act on: the two machines of tests/unit/lib/fixture.h, saved after the set-up and
 * restored before each schedule; what is true after each schedule; the guest words that a hostile
 * guest changes.
 */
#ifndef TESTS_EXPLORE_SCENE_H
#define TESTS_EXPLORE_SCENE_H

#include "tests/unit/lib/fixture.h"

#include "engine.h"

#define LINES 4u

struct scene {
	struct world *w;
	struct machine *a, *b;
	struct line l[LINES];
	uint32_t port[LINES];
	uint32_t sent[LINES];	   /* raises that must be seen */
	uint32_t seen[LINES];	   /* `sent` when the handler last looked */
	uint32_t ipi, extra, hers; /* more ports: of a, of a, of b */
	uint32_t victim;	   /* of b; 0: none */
	struct line victim_line;
	uint32_t taken[2][VCPUS]; /* kicks that vCPUs have answered */
	uint32_t uncertain;	  /* raises that may be counted in a port's next life */
	bool was_reset;		  /* what was in the queues was forgotten */
	int rc;
};

struct scene *scene_get(void);
void scene_create(const struct scenario *scenario);
void scene_destroy(void);
void scene_restore(void);
/* All that must hold when the actors are done; then what the scenario asks for. */
void scene_check(const struct scenario *scenario);

bool scene_is_guest_word(const volatile void *address);
bool scene_is_lock(const volatile void *address);
/* For a person: "a.port5+52", "word5". */
const char *scene_name(const volatile void *address);

/* The bits that a hostile guest may flip, numbered, and their names ("word1.31"). */
uint32_t scene_flips(void);
/* The first of the bits at `address`, and how many there are; NO_FLIP when there are none. */
uint32_t scene_flips_at(const volatile void *address, uint32_t *bits);
void *scene_flip(uint32_t bit); /* returns the word */
const char *scene_flip_name(uint32_t bit);
uint32_t scene_flip_by_name(const char *name); /* NO_FLIP when there is none */

#endif
