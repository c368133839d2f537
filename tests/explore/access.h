/* SPDX-License-Identifier: MIT */
/*
 * Put before each source of the library (`-include`): every atomic access tells of itself first,
 * and so does every turn of a loop that waits. The explorer switches actors there; the fuzz targets
 * count, and write guest words.
 */
#ifndef TESTS_EXPLORE_ACCESS_H
#define TESTS_EXPLORE_ACCESS_H

/* About to read, or to write (`write`), what lies at `address`. */
void explore_access(const volatile void *address, int write);
/* The caller has looked, and waits for another thread. */
void explore_pause(void);

#define UC_STEP(p)	       explore_access((const volatile void *)(p), 1)
#define UC_STEP_LOAD(p)	       explore_access((const volatile void *)(p), 0)
#define __builtin_ia32_pause() explore_pause()

#include "../unit/lib/step.h"

#endif
