/* SPDX-License-Identifier: MIT */
#ifndef UPCALL_VMM_KVM_EXITS_H
#define UPCALL_VMM_KVM_EXITS_H

#include "vmm/vm.h"

/* Writing any byte here has the VMM print the library's counters (`--counters`); see docs/. */
#define UC_PORT_COUNTERS 0x610
/* The Xen/Bochs debug port: bytes go to the console, the earliest output there is. */
#define UC_PORT_DEBUG 0xe9

/* Handle one return from KVM_RUN. On the vCPU's thread. */
void uc_vcpu_exit(struct uc_vm_vcpu *v);

#endif
