/* SPDX-License-Identifier: MIT */
/*
 * Where actors meet: a word that two of them access, one of them writes, and no lock guards (one
 * that all who access it hold). To stop before any other access changes nothing that anybody sees,
 * since it commutes with all that the others can do then; so choices are made at these words only.
 * The same goes for giving a lock back, which is as good as having given it back before. (Lipton's
 * reduction.) All this is learned as schedules run, never assumed: an exploration is complete when
 * it has been started again after the last meeting place was found.
 */
#ifndef TESTS_EXPLORE_MEET_H
#define TESTS_EXPLORE_MEET_H

#include <stdbool.h>
#include <stdint.h>

/* Note what `actor` is about to do. True when others may meet it here. */
bool meet_here(const volatile void *address, uint32_t actor, bool write);
/* And that it does it now: others may have run between. */
void meet_goes_on(const volatile void *address, uint32_t actor, bool write);
/* Nobody holds a lock: a new schedule. */
void meet_begin(void);
bool meet_has_learned(void); /* since the last call */
void meet_forget(void);

#endif
