/* SPDX-License-Identifier: MIT */
/* What a comparison needs of its host: CPUs, a network of its own, a quota, CPU times. */
#ifndef UPCALL_COMPARE_MEASURE_HOST_H
#define UPCALL_COMPARE_MEASURE_HOST_H

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compare/measure/measure.h"

struct uc_cpu_times {
	uint64_t vcpu_ns, other_ns; /* threads that are vCPUs, and the rest */
};

/* The CPUs of a comparison: some for vCPUs, others for all that serves them. */
struct uc_host_cpus {
	cpu_set_t guests, io;
};

/*
 * Take `guests` and then `io` of the CPUs that this process may use; it runs on those for I/O from
 * now on, or with none of these on those of the guests. -errno, `diag`.
 */
int uc_host_take_cpus(struct uc_host_cpus *cpus, unsigned int guests, unsigned int io,
		      struct uc_diag *diag);
/* Put the threads of a guest's process where they belong. */
void uc_host_place(const struct uc_host_cpus *cpus, pid_t pid);
/* A network of this process's own, so that addresses and rules of the host's do not matter. */
int uc_host_own_network(struct uc_diag *diag);
/* Wait until the tap is there and give it the addresses. */
int uc_host_set_addresses(const char *tap, const char *const *addresses, unsigned int count,
			  struct uc_diag *diag);
/* From now on this thread gets a CPU at once; its children do not. False: it may not. */
bool uc_host_real_time(void);

/*
 * From now on SIGINT, SIGTERM and SIGHUP (those not ignored from the start) only make
 * uc_host_told_to_stop() true: all is put back.
 */
void uc_host_catch_signals(void);
bool uc_host_told_to_stop(void);
/*
 * Around a fork(), so that a child that is told to end before its exec does end: hold, and then in
 * the child what was there before. The parent sets *old as its signal mask again itself.
 */
void uc_host_hold_signals(sigset_t *old);
void uc_host_default_signals(const sigset_t *old);

/* Process `pid` gets at most `percent` of one CPU from now on. -errno, `diag`. */
int uc_host_set_quota(pid_t pid, unsigned int percent, struct uc_diag *diag);
/* Undo what that did, if it did; the process has ended. */
void uc_host_drop_quota(void);

/* Of all threads of process `pid`. */
struct uc_cpu_times uc_host_cpu_times(pid_t pid);

#endif
