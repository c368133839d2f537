/* SPDX-License-Identifier: MIT */
/*
 * What the control socket sees of a machine, without KVM, guest or devices: a struct uc_vm with the
 * library's real domain and ports, and the control thread's real loop. For the unit tests, and for
 * tests/cli/ctl.bats as a program of its own.
 */
#ifndef UPCALL_TESTS_UNIT_CTL_MACHINE_H
#define UPCALL_TESTS_UNIT_CTL_MACHINE_H

#include "vmm/control.h"
#include "vmm/ctl/server.h"
#include "vmm/vm.h"

#define MACHINE_VCPUS 2u
#define MACHINE_PORTS 4096u /* what a 2-level domain of 64 bit words can have */

struct machine {
	struct uc_vm vm;
	struct uc_vm_config config;
	struct uc_control control;
};

/* 0 or -errno. `ports` of them are bound: an IPI, a VIRQ, the rest unbound. */
int machine_open(struct machine *m, const char *name, uint32_t ports);
void machine_close(struct machine *m);

#endif
