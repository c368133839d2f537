/* SPDX-License-Identifier: MIT */
/* A schedule as text: "STEP:ACTOR" and "STEP!BIT", with commas; "none" when there is no move. */
#ifndef TESTS_EXPLORE_MOVES_H
#define TESTS_EXPLORE_MOVES_H

#include "engine.h"

/* With the command that runs it again. */
void print_failure(const char *name, const char *failure, const struct schedule *schedule);
/* After engine_prepare(). False when it is no such text. */
bool read_moves(const char *text, struct schedule *schedule);

#endif
