/* SPDX-License-Identifier: MIT */
/* Which schedules of a scenario are run. Each search ends at the first that fails. */
#ifndef TESTS_EXPLORE_SEARCH_H
#define TESTS_EXPLORE_SEARCH_H

#include "engine.h"

struct found {
	const char *failure; /* NULL: none */
	struct schedule schedule;
	uint64_t schedules; /* that were run */
};

/*
 * All schedules with at most so many preemptions: switches away from an actor that could go on.
 * What follows when one cannot is free, and each choice is tried.
 */
void search_all(uint32_t preemptions, struct found *found);
/* The same schedules, each as often as there is a bit of a guest word to flip before an access. */
void search_flips(uint32_t preemptions, struct found *found);
/* `nr` schedules; with flips, up to 8 in each. The seed decides. */
void search_random(uint64_t nr, uint64_t seed, bool flips, struct found *found);

/* Run exactly these moves. */
const char *search_replay(const struct schedule *schedule, struct schedule *taken);
/* Leave out moves as long as it fails. */
void search_minimise(struct found *found);

#endif
