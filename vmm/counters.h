/* SPDX-License-Identifier: MIT */
#ifndef UPCALL_VMM_COUNTERS_H
#define UPCALL_VMM_COUNTERS_H

#include "vmm/vm.h"

/*
 * One line of JSON on stderr, when the machine was started with --counters: the library's ports
 * and per-vCPU upcalls as they are now. `tag` is what the guest wrote to UC_PORT_COUNTERS, or -1
 * for the line at the end. Any thread; one write.
 */
void uc_counters_print(struct uc_vm *vm, int tag);

#endif
