/* SPDX-License-Identifier: MIT */
#include "vmm/latency.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void uc_thread_slice(pid_t tid, uint32_t slice_ns)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = SCHED_NORMAL,
		.sched_nice = getpriority(PRIO_PROCESS, (id_t)tid),
		.sched_runtime = slice_ns,
	};

	/* A thread that someone made real-time stays so. */
	if (syscall(SYS_sched_getscheduler, tid) == SCHED_NORMAL)
		syscall(SYS_sched_setattr, tid, &attr, 0);
}

bool uc_thread_real_time(pid_t tid, int priority)
{
	const struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = SCHED_FIFO,
		.sched_priority = (uint32_t)priority,
	};

	return syscall(SYS_sched_getscheduler, tid) == SCHED_NORMAL &&
	       !syscall(SYS_sched_setattr, tid, &attr, 0);
}

void uc_thread_fair(pid_t tid, int priority)
{
	const struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = SCHED_NORMAL,
		.sched_nice = getpriority(PRIO_PROCESS, (id_t)tid),
	};
	struct sched_attr now = {.size = sizeof(now)};

	if (!syscall(SYS_sched_getattr, tid, &now, sizeof(now), 0) &&
	    now.sched_policy == SCHED_FIFO && now.sched_priority == (uint32_t)priority)
		syscall(SYS_sched_setattr, tid, &attr, 0);
}
