/* SPDX-License-Identifier: MIT */
/*
 * What a toolstack writes to the xenstore for a new domU, with the owners and permissions that
 * libxl gives (libxl_create.c, libxl_dom.c, libxl_console.c): the guest may read its home and
 * /vm/<uuid>, and write only control/{shutdown,sysrq,feature-*}, data, drivers, feature, attr,
 * error and device/suspend/event-channel.
 * Called once by the VMM before the guest runs.
 */
#ifndef UPCALL_VMM_XEN_STORE_GUEST_H
#define UPCALL_VMM_XEN_STORE_GUEST_H

#include "vmm/xen/store.h"

struct uc_store_guest {
	uint16_t domid;
	const char *name;
	const char *uuid; /* 8-4-4-4-12 hex digits; NULL: a random one */
	unsigned n_vcpus; /* all online */
	uint64_t memory_kib;
	uint32_t store_port; /* the guest's ports and frames, as in its HVM parameters */
	uint64_t store_gfn;
	uint32_t console_port;
	uint64_t console_gfn;
	const char *console_tty; /* host path of a pty, or NULL */
};

/* 0 or -errno. */
int uc_store_populate_guest(struct uc_store *st, const struct uc_store_guest *guest);

#endif
