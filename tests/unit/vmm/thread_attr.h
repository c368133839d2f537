/* SPDX-License-Identifier: MIT */
/* What the kernel has noted of a thread's scheduling: sched_getattr(), which glibc 2.36 lacks. */
#ifndef TESTS_VMM_THREAD_ATTR_H
#define TESTS_VMM_THREAD_ATTR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct thread_attr {
	uint32_t policy, priority;
	int32_t nice;
	uint32_t slice_ns; /* 0 before Linux 6.12 */
	uint64_t flags;
};

/* Of thread `tid`, 0 for the calling one. */
struct thread_attr thread_attr(pid_t tid);
/* All but the slice, for the calling thread. False when it may not. */
bool thread_attr_set(const struct thread_attr *attr);

#endif
