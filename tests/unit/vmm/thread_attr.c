/* SPDX-License-Identifier: MIT */
/* A file of its own, because <linux/sched/types.h> and <sched.h> cannot both be included. */
#include "thread_attr.h"

#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

struct thread_attr thread_attr(pid_t tid)
{
	struct sched_attr attr = {.size = sizeof(attr)};

	if (syscall(SYS_sched_getattr, tid, &attr, sizeof(attr), 0))
		return (struct thread_attr){.policy = UINT32_MAX};
	return (struct thread_attr){.policy = attr.sched_policy,
				    .priority = attr.sched_priority,
				    .nice = attr.sched_nice,
				    .slice_ns = (uint32_t)attr.sched_runtime,
				    .flags = attr.sched_flags};
}

bool thread_attr_set(const struct thread_attr *attr)
{
	struct sched_attr a = {.size = sizeof(a),
			       .sched_policy = attr->policy,
			       .sched_priority = attr->priority,
			       .sched_nice = attr->nice,
			       .sched_flags = attr->flags};

	return !syscall(SYS_sched_setattr, 0, &a, 0);
}
