/* SPDX-License-Identifier: MIT */
#ifndef UPCALL_VMM_COUNTERS_H
#define UPCALL_VMM_COUNTERS_H

#include <jansson.h>

#include "vmm/vm.h"

/*
 * One line of JSON on stderr, when the machine was started with --counters: the library's ports
 * and per-vCPU upcalls as they are now. `tag` is what the guest wrote to UC_PORT_COUNTERS, or -1
 * for the line at the end. Any thread; one write.
 */
void uc_counters_print(struct uc_vm *vm, int tag);

/*
 * The ports in use from *from on, at most `count` of them, as an array of objects. *from becomes
 * the port to go on from, or 0 at the end. Any thread.
 */
json_t *uc_counters_ports(struct uc_vm *vm, uint32_t *from, uint32_t count);
/* Upcalls raised, one number per vCPU. Any thread. */
json_t *uc_counters_upcalls(struct uc_vm *vm);
/* Events linked at each vCPU, and events taken from it again. */
json_t *uc_counters_events(struct uc_vm *vm);
json_t *uc_counters_handed_over(struct uc_vm *vm);
/* Events that stayed at each vCPU for it to take: uc_vcpu_delivered(). */
json_t *uc_counters_delivered(struct uc_vm *vm);
/* The network card: its queues as they are connected now, the sum of those before; or null. */
json_t *uc_counters_net(struct uc_vm *vm);

#endif
