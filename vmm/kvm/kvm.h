/* SPDX-License-Identifier: MIT */
/*
 * KVM, the virtual machine's side: opens it, sets it up for Xen guests, maps memory into it.
 *
 * Needs what uc_kvm_require() (probe.h) checks. Interrupt controllers: the LAPICs are in the
 * kernel, nothing else exists (KVM_CAP_SPLIT_IRQCHIP), because a PVH guest has nothing else.
 */
#ifndef UPCALL_VMM_KVM_KVM_H
#define UPCALL_VMM_KVM_KVM_H

#include <linux/kvm.h>
#include <stdint.h>

#include "vmm/mem.h"

struct uc_kvm {
	int fd;	   /* /dev/kvm */
	int vm_fd; /* the machine */
	uint32_t vcpu_mmap_bytes;
	uint32_t next_slot;
	struct kvm_cpuid2 *cpuid;		  /* what KVM supports */
	uint64_t clock_noted_ns, clock_offset_ns; /* see uc_kvm_clock_about_ns() */
};

int uc_kvm_open(struct uc_kvm *kvm, struct uc_diag *diag);
void uc_kvm_close(struct uc_kvm *kvm);

/* Give [gpa, gpa + bytes) the host memory at `host`. May be called while vCPUs run. -errno. */
int uc_kvm_map(struct uc_kvm *kvm, uint64_t gpa, uint64_t bytes, void *host);
int uc_kvm_map_ram(struct uc_kvm *kvm, const struct uc_mem *mem, struct uc_diag *diag);

/* Raise interrupt `vector` on the LAPIC with `apic_id`. Any thread. */
int uc_kvm_signal(const struct uc_kvm *kvm, uint32_t apic_id, uint8_t vector);
/* The guest's system time: what its pvclock shows now. */
int uc_kvm_clock_ns(const struct uc_kvm *kvm, uint64_t *now_ns);
/* The same to half a millisecond, mostly without asking KVM. Any thread. */
uint64_t uc_kvm_clock_about_ns(struct uc_kvm *kvm);

/* KVM_XEN_HVM_SET_ATTR and KVM_XEN_VCPU_SET_ATTR; -errno. */
int uc_kvm_xen_attr(const struct uc_kvm *kvm, uint16_t type, uint64_t value);
int uc_kvm_xen_vcpu_attr(int vcpu_fd, uint16_t type, uint64_t value);

/* Newer than Debian 12's <linux/kvm.h>. */
#define UC_KVM_XEN_ATTR_RUNSTATE_UPDATE_FLAG 0x5

#endif
