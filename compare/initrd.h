/* SPDX-License-Identifier: MIT */
/* The initial RAM disk of a comparison's guests: the agent, the network driver, busybox. */
#ifndef UPCALL_COMPARE_INITRD_H
#define UPCALL_COMPARE_INITRD_H

#include <limits.h>

#include "vmm/diag.h"

/*
 * Where the xen-netfront.ko of the kernel at `kernel` is: in a "modules" folder beside it, or in
 * /lib/modules/RELEASE. -ENOENT when in neither (it may be built in).
 */
int uc_compare_netfront(const char *kernel, char path[PATH_MAX]);
/* "6.12.9-amd64", from the bzImage's header; "" for another file. */
void uc_compare_release(const char *kernel, char *release, unsigned int size);

/* Write it to a new file under /tmp; `path` gets its name. `netfront`: the driver, or NULL. */
int uc_compare_make_initrd(const char *netfront, char path[PATH_MAX], struct uc_diag *diag);

#endif
