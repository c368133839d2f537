/* SPDX-License-Identifier: MIT */
/* The scenarios: a table per file, each ends with an entry without a name. */
#ifndef TESTS_EXPLORE_SCENARIOS_H
#define TESTS_EXPLORE_SCENARIOS_H

#include "engine.h"

extern const struct scenario scenarios_raise[], scenarios_control[], scenarios_reset[],
	scenarios_hostile[];
/* All tables; ends with NULL. */
extern const struct scenario *const scenario_tables[];

#endif
