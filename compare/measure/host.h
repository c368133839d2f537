/* SPDX-License-Identifier: MIT */
/* What a comparison needs of its host: CPUs, a network of its own, a quota, CPU times. */
#ifndef UPCALL_COMPARE_MEASURE_HOST_H
#define UPCALL_COMPARE_MEASURE_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compare/measure/measure.h"

struct uc_cpu_times {
	uint64_t vcpu_ns, other_ns; /* threads that are vCPUs, and the rest */
};

/* This process, and those that it starts, run on the first `count` of its CPUs. -errno, `diag`. */
int uc_host_limit_cpus(unsigned int count, struct uc_diag *diag);
/* A network of this process's own, so that addresses and rules of the host's do not matter. */
int uc_host_own_network(struct uc_diag *diag);
/* Wait until the tap is there and give it the addresses. */
int uc_host_set_addresses(const char *tap, const char *const *addresses, unsigned int count,
			  struct uc_diag *diag);
/* From now on this thread gets a CPU at once; its children do not. False: it may not. */
bool uc_host_real_time(void);

/* Process `pid` gets at most `percent` of one CPU from now on. -errno, `diag`. */
int uc_host_set_quota(pid_t pid, unsigned int percent, struct uc_diag *diag);
/* Remove what that made; the process has ended. */
void uc_host_drop_quota(void);

/* Of all threads of process `pid`. */
struct uc_cpu_times uc_host_cpu_times(pid_t pid);

#endif
