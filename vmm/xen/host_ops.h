/* SPDX-License-Identifier: MIT */
#ifndef UPCALL_VMM_XEN_HOST_OPS_H
#define UPCALL_VMM_XEN_HOST_OPS_H

#include <upcall/host.h>

/* libupcall's way to this VMM; the context is the struct uc_vm. */
extern const struct uc_host_ops uc_vm_host_ops;

#endif
