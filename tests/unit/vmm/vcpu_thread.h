/* SPDX-License-Identifier: MIT */
/*
 * A thread that stands in for a vCPU's, where the scheduler's account of it matters: it sleeps, but
 * for the CPU time that it is told to use.
 */
#ifndef TESTS_VMM_VCPU_THREAD_H
#define TESTS_VMM_VCPU_THREAD_H

#include "thread_attr.h"
#include "vmm/vm.h"

struct vcpu_thread {
	struct uc_vm_vcpu *vcpu;
	int asked_fd, done_fd;
	struct thread_attr attr; /* that it gave itself */
};

/* It is asleep when this returns, and vcpu's thread. NULL: SCHED_OTHER with its maker's nice. */
void vcpu_thread_start(struct vcpu_thread *t, struct uc_vm_vcpu *vcpu,
		       const struct thread_attr *attr);
/* It has had that much more CPU time, and sleeps again. */
void vcpu_thread_work(struct vcpu_thread *t, uint64_t ns);
struct thread_attr vcpu_thread_attr(const struct vcpu_thread *t);
/* May be called for one that was not started. */
void vcpu_thread_end(struct vcpu_thread *t);

#endif
