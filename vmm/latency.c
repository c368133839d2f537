/* SPDX-License-Identifier: MIT */
#include "vmm/latency.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void uc_thread_slice(uint32_t slice_ns)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = SCHED_NORMAL,
		.sched_nice = getpriority(PRIO_PROCESS, 0),
		.sched_runtime = slice_ns,
	};

	/* A thread that someone made real-time stays so. */
	if (syscall(SYS_sched_getscheduler, 0) == SCHED_NORMAL)
		syscall(SYS_sched_setattr, 0, &attr, 0);
}
