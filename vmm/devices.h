/* SPDX-License-Identifier: MIT */
/*
 * The devices every guest has: console and xenstore, each a page, a host end point and a back end
 * on the control thread. A vCPU's notification only marks work and wakes that thread.
 */
#ifndef UPCALL_VMM_DEVICES_H
#define UPCALL_VMM_DEVICES_H

#include <stddef.h>

#include "vmm/vm.h"

struct uc_control;
struct uc_net;

/* Before the boot: pages, end points, store contents. vm->domain is there. */
int uc_devices_create(struct uc_vm *vm, struct uc_diag *diag);
void uc_devices_destroy(struct uc_vm *vm);

/* Enter the descriptors to wait for. Control thread. */
int uc_devices_attach(struct uc_devices *dev, struct uc_control *control);

/* What HVMOP_get_param returns. 0 for what is not set. Any thread. */
uint64_t uc_devices_hvm_param(const struct uc_devices *dev, uint32_t index);

/* The network card, or NULL. Any thread. */
struct uc_net *uc_devices_net(const struct uc_devices *dev);

/* Bytes of early output (debug port, CONSOLEIO_write). Any thread. */
void uc_devices_debug_output(struct uc_devices *dev, const void *bytes, size_t nr_bytes);

#endif
