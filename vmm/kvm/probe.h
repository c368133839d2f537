/* SPDX-License-Identifier: MIT */
/*
 * What this machine's KVM can do, and whether that is enough to run guests here. The presence of
 * /dev/kvm decides nothing: a software KVM has one, and hangs a stock guest in early boot; what
 * counts is SVM or VMX in the CPU and the bits of KVM_CAP_XEN_HVM.
 *
 * Called by `upcall run` before it opens KVM, and by `upcall doctor`.
 */
#ifndef UPCALL_VMM_KVM_PROBE_H
#define UPCALL_VMM_KVM_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/diag.h"

struct uc_kvm_probe {
	bool svm, vmx;	      /* the CPU's flags */
	int open_error;	      /* errno of opening the device read-write, 0 when it opens */
	int api_version;      /* of KVM, 12 on any of this century; -1 when it is no KVM */
	uint32_t xen_hvm;     /* KVM_CAP_XEN_HVM; 0 without CONFIG_KVM_XEN */
	uint32_t xen_missing; /* what guests need and xen_hvm has not */
};

/* Fill `p`; what cannot be read counts as absent. */
void uc_kvm_probe(struct uc_kvm_probe *p);
void uc_kvm_probe_at(struct uc_kvm_probe *p, const char *device, const char *cpuinfo);

/* 0 when guests can run here, else -errno with UC_EXIT_NO_KVM or UC_EXIT_KVM_CAP. */
int uc_kvm_require(const struct uc_kvm_probe *p, struct uc_diag *diag);

/* The name of bit `bit` of KVM_CAP_XEN_HVM, or NULL past the last that this version knows. */
const char *uc_kvm_xen_bit(unsigned int bit);
/* The names of the bits in `bits`, separated by spaces; "none" when there is none. */
void uc_kvm_xen_names(uint32_t bits, char *text, unsigned int size);

#endif
