/* SPDX-License-Identifier: MIT */
/* The emulated machine: a QEMU process and our ends of its ports; see machine.c. */
#ifndef UPCALL_LAB_MACHINE_H
#define UPCALL_LAB_MACHINE_H

#include <sys/types.h>

#include "lab/lab.h"
#include "lab/qemu.h"
#include "lab/wire.h"

struct uc_lab_machine {
	pid_t pid;
	int pidfd;
	int port[UC_LAB_STDERR + 1]; /* stream sockets, by enum uc_lab_port */
	int console;		     /* the kernel's serial console */
	int complaints;		     /* QEMU's own stderr */
};

/* config->cpus is decided by now. */
int uc_lab_machine_start(struct uc_lab_machine *m, const struct uc_lab_qemu *qemu,
			 const struct uc_lab_config *config, int initramfs, struct uc_diag *diag);
/* Kill it and wait until it is gone; how it ended, as waitpid(2) says, in case it was already. The
 * descriptors stay open for what is still in them. */
int uc_lab_machine_kill(struct uc_lab_machine *m);

#endif
