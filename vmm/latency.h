/* SPDX-License-Identifier: MIT */
/*
 * Threads that work little and at once (the watcher, back ends, timers) share CPUs with vCPUs that
 * never stop. A short time slice is how to say so to Linux from 6.12 on (EEVDF): they get a CPU
 * sooner and no more of it than their share. Older kernels take no notice.
 */
#ifndef UPCALL_VMM_LATENCY_H
#define UPCALL_VMM_LATENCY_H

#include <stdint.h>

#define UC_SLICE_SHORT_NS 100000u /* the shortest that the kernel takes */
#define UC_SLICE_DEFAULT  0u

/* For the calling thread; one that it starts afterwards has the same. */
void uc_thread_slice(uint32_t slice_ns);

#endif
