/* SPDX-License-Identifier: MIT */
/*
 * Two parties, every interleaving with one switch: the first runs an operation, the second's whole
 * operation comes before the first's n-th atomic access, for every n. An operation that takes locks
 * comes at the next access at which no lock is held, as it would with two threads. For programs
 * that are built with step.h: steps.c, steps_route.c.
 */
#ifndef TESTS_LIB_PLAY_H
#define TESTS_LIB_PLAY_H

#include "fixture.h"

struct scene {
	struct world *w;
	struct machine *a, *b;
	struct line l[3];
	uint32_t port[3], extra;
	int rc;
};

typedef void action(struct scene *s);

struct pair {
	const char *name;
	action *setup, *first, *second, *check;
	enum {
		WITHOUT_LOCKS,	     /* the second party comes where nobody holds a lock */
		WITHOUT_QUEUE_LOCKS, /* it takes no domain lock: a raise, a hand-over */
		ANYWHERE,	     /* it takes no lock at all: a guest */
	} when;
};

#define PLAY(setup, first, second, check, when)                                                    \
	{                                                                                          \
#first " | " #second " (" #setup ")", setup, first, second, check, when            \
	}
#define PAIR(setup, first, second, check)  PLAY(setup, first, second, check, WITHOUT_LOCKS)
#define RAISE(setup, first, second, check) PLAY(setup, first, second, check, WITHOUT_QUEUE_LOCKS)
#define GUEST(setup, first, second, check) PLAY(setup, first, second, check, ANYWHERE)

/* A late raise of a port's former life may be counted in the next one: 1. Reset by each play. */
extern uint32_t play_uncertain;

bool any_lock_held(const struct machine *m);
/* Nothing is left pending or linked, no list led astray: only the handler clears PENDING, so all
 * was handled. */
void all_handled(struct machine *m);
/* A test: its initial state is the pair. */
void play_all(void **state);
/* Runs `nr` pairs and then `extra` tests; the program's exit status. */
int play_group(const char *name, const struct pair *pairs, size_t nr,
	       const struct CMUnitTest *extra, size_t nr_extra);

#endif
