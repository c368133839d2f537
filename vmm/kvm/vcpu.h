/* SPDX-License-Identifier: MIT */
/* A vCPU: created and set to the PVH entry state before any vCPU runs; then one thread each. */
#ifndef UPCALL_VMM_KVM_VCPU_H
#define UPCALL_VMM_KVM_VCPU_H

#include "vmm/vm.h"

/* Create vCPU `id`. vCPU 0 will start at `entry` with `start_info` in EBX; the others wait for
 * SIPI. */
int uc_vcpu_create(struct uc_vm *vm, uint32_t id, uint32_t entry, uint32_t start_info,
		   struct uc_diag *diag);
void uc_vcpu_destroy(struct uc_vm_vcpu *v);

/* The signal handler that interrupts KVM_RUN; once per process, before the first thread. */
void uc_vcpu_signal_setup(void);
int uc_vcpu_start(struct uc_vm_vcpu *v, struct uc_diag *diag);
/* Bring a started vCPU out of KVM_RUN, to look at what it is asked for. Any thread. */
void uc_vcpu_interrupt(struct uc_vm_vcpu *v);
/* Ends the thread wherever it is, and joins it. `vm->end` is set. */
void uc_vcpu_join(struct uc_vm_vcpu *v);

/* Have the vCPU take its event upcall: the library's `kick`. Any thread. */
void uc_vcpu_kick(struct uc_vm_vcpu *v);
/* Tell the event channel side which vector KVM was given; takes an upcall that already waits. */
void uc_vcpu_use_vector(struct uc_vm_vcpu *v, uint8_t vector);

#endif
