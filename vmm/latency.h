/* SPDX-License-Identifier: MIT */
/*
 * Threads that work little and at once (the watcher, back ends, timers) share CPUs with vCPUs that
 * never stop. A short time slice is how to say so to Linux from 6.12 on (EEVDF): they get a CPU
 * sooner and no more of it than their share. Older kernels take no notice.
 */
#ifndef UPCALL_VMM_LATENCY_H
#define UPCALL_VMM_LATENCY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define UC_SLICE_SHORT_NS 100000u /* the shortest that the kernel takes */
#define UC_SLICE_DEFAULT  0u

/* For thread `tid`, 0 for the calling one; a thread that it starts afterwards has the same. */
void uc_thread_slice(pid_t tid, uint32_t slice_ns);
/* From SCHED_NORMAL to SCHED_FIFO; false when it is neither that nor allowed. */
bool uc_thread_real_time(pid_t tid, int priority);
/* And back; not when somebody gave it another priority meanwhile. */
void uc_thread_fair(pid_t tid, int priority);

#endif
