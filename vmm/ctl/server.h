/* SPDX-License-Identifier: MIT */
/*
 * The control socket of `upcall run`: a listener and its clients, served on the control thread. It
 * outlives a machine: while the guest is restarted in place no machine is attached, and requests
 * wait in the sockets. uc_vm_run() owns it. Not thread-safe.
 */
#ifndef UPCALL_VMM_CTL_SERVER_H
#define UPCALL_VMM_CTL_SERVER_H

#include "vmm/diag.h"

#define UC_CTL_CLIENTS_MAX 16u

struct uc_control;
struct uc_ctl;
struct uc_vm;

/* Take the name (NULL: a free default one; vmm/ctl/place.h) and listen. */
int uc_ctl_open(struct uc_ctl **ctl, const char *name, struct uc_diag *diag);
/* Removes the socket. No machine is attached. NULL is allowed. */
void uc_ctl_close(struct uc_ctl *ctl);

const char *uc_ctl_name(const struct uc_ctl *ctl);

/* From now on requests are answered, for this machine. -errno. */
int uc_ctl_attach(struct uc_ctl *ctl, struct uc_control *control, struct uc_vm *vm);
/* The machine is about to end. Also after a failed attach, or none. */
void uc_ctl_detach(struct uc_ctl *ctl);

#endif
