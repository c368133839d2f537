/* SPDX-License-Identifier: MIT */
/* The right to real-time threads: whether this process has it, and how it is without. */
#ifndef TESTS_VMM_REAL_TIME_H
#define TESTS_VMM_REAL_TIME_H

#include <stdbool.h>

/* Skips the test without it. It asks the kernel, not what is tested. */
void need_real_time(void);
/* False: this thread and those that it starts shall not have it; true: as before. */
void allow_real_time(bool allowed);

#endif
