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

/* A change of priority is what makes the scheduler look; it is taken back at once. */
bool uc_thread_nudge(pid_t tid)
{
	int nice = getpriority(PRIO_PROCESS, (id_t)tid);
	bool may = !setpriority(PRIO_PROCESS, (id_t)tid, nice - 1);

	if (may)
		setpriority(PRIO_PROCESS, (id_t)tid, nice);
	return may;
}
