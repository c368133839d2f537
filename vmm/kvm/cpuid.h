/* SPDX-License-Identifier: MIT */
#ifndef UPCALL_VMM_KVM_CPUID_H
#define UPCALL_VMM_KVM_CPUID_H

#include <linux/kvm.h>
#include <stdint.h>

#define UC_XEN_VERSION_MAJOR 4
#define UC_XEN_VERSION_MINOR 17

/*
 * What vCPU `vcpu` (APIC id the same) of domain `domid` shall see, made from what KVM supports:
 * the hypervisor leaves are Xen's, KVM's are hidden (Linux would prefer them, facts.md 6.2).
 * Returns malloc'ed memory for KVM_SET_CPUID2, or NULL.
 */
struct kvm_cpuid2 *uc_cpuid_make(const struct kvm_cpuid2 *supported, uint32_t vcpu,
				 uint32_t nr_vcpus, uint16_t domid);

#endif
