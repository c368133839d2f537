/* SPDX-License-Identifier: MIT */
/*
 * Xen hypercalls of an HVM/PVH guest. A vCPU thread calls uc_hypercall() for each; the handlers,
 * one file per hypercall number, return what the guest gets in RAX: 0, a value, or -errno as Xen
 * gives it. Arguments are hostile: they are copied once, then checked. Where Xen takes an argument
 * as a 32-bit number, so do the handlers: what the guest left in the upper half does not count.
 */
#ifndef UPCALL_VMM_XEN_HYPERCALL_H
#define UPCALL_VMM_XEN_HYPERCALL_H

#include "vmm/vm.h"

struct uc_hypercall {
	uint64_t number;
	uint64_t args[6];
	uint8_t cpl;
	uint8_t long_mode;
};

int64_t uc_hypercall(struct uc_vm_vcpu *v, const struct uc_hypercall *call);

/* The handlers. */
int64_t uc_hc_event_channel(struct uc_vm_vcpu *v, const uint64_t *args);
int64_t uc_hc_memory(struct uc_vm_vcpu *v, const uint64_t *args);
int64_t uc_hc_vcpu(struct uc_vm_vcpu *v, const uint64_t *args);
int64_t uc_hc_set_timer(struct uc_vm_vcpu *v, const uint64_t *args);
int64_t uc_hc_hvm(struct uc_vm_vcpu *v, const uint64_t *args);
int64_t uc_hc_sched(struct uc_vm_vcpu *v, const uint64_t *args);
int64_t uc_hc_version(struct uc_vm_vcpu *v, const uint64_t *args);
int64_t uc_hc_grant_table(struct uc_vm_vcpu *v, const uint64_t *args);
int64_t uc_hc_console_io(struct uc_vm_vcpu *v, const uint64_t *args);
int64_t uc_hc_vm_assist(struct uc_vm_vcpu *v, const uint64_t *args);

/*
 * Guest-virtual memory as the vCPU sees it now; only on its own thread, outside KVM_RUN. -EFAULT
 * when any byte is not mapped, not writable (for a write and for uc_guest_gpa) or not RAM.
 */
int uc_guest_read(struct uc_vm_vcpu *v, uint64_t gva, void *to, uint64_t bytes);
int uc_guest_write(struct uc_vm_vcpu *v, uint64_t gva, const void *from, uint64_t bytes);
int uc_guest_gpa(struct uc_vm_vcpu *v, uint64_t gva, uint64_t *gpa);

/* A guest may name itself as DOMID_SELF or by its id: 0, or -ESRCH / -EPERM. */
int uc_check_self(const struct uc_vm *vm, uint16_t domid);

#endif
