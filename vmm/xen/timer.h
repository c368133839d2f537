/* SPDX-License-Identifier: MIT */
/*
 * The one-shot timer of each vCPU, delivered as VIRQ_TIMER: a timerfd that the vCPU's thread arms
 * and the control thread reads. KVM's own Xen timer can only raise a 2-level port.
 */
#ifndef UPCALL_VMM_XEN_TIMER_H
#define UPCALL_VMM_XEN_TIMER_H

#include "vmm/vm.h"

/*
 * Fire at `timeout_ns` of the guest's system time; at once when that is past, or -ETIME when it is
 * past and `must_be_future`. On the vCPU's own thread.
 */
int uc_timer_set(struct uc_vm_vcpu *v, uint64_t timeout_ns, bool must_be_future);
int uc_timer_stop(struct uc_vm_vcpu *v);
/* timer_fd is readable. Control thread. */
void uc_timer_fire(struct uc_vm_vcpu *v);

#endif
