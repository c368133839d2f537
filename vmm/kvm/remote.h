/* SPDX-License-Identifier: MIT */
/*
 * One vCPU sets an attribute of another.
 *
 * KVM holds a vCPU's mutex for as long as it is in KVM_RUN, and one that waits for its SIPI stays
 * there; yet Linux registers a new CPU's areas from the boot CPU. So the target's own thread is
 * brought out of KVM_RUN to do it. A thread that waits for another serves its own calls meanwhile,
 * so two vCPUs that ask each other do not lock up.
 */
#ifndef UPCALL_VMM_KVM_REMOTE_H
#define UPCALL_VMM_KVM_REMOTE_H

#include "vmm/vm.h"

struct uc_vcpu_call {
	struct uc_vcpu_call *next;
	uint16_t attr; /* KVM_XEN_VCPU_ATTR_TYPE_* */
	uint64_t value;
	int result;
	bool done;
};

/* On `self`'s thread: KVM_XEN_VCPU_SET_ATTR for `target`. -errno; -EINTR when the machine stops. */
int uc_vcpu_set_attr(struct uc_vm_vcpu *self, struct uc_vm_vcpu *target, uint16_t attr,
		     uint64_t value);
/* Do what others asked of `self`. On its thread, outside KVM_RUN. */
void uc_vcpu_serve(struct uc_vm_vcpu *self);

#endif
