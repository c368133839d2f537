/* SPDX-License-Identifier: MIT */
/*
 * Paths of the xenstore: what is a valid one, what a relative one means, who is below whom.
 * The rules are those of docs/misc/xenstore.txt in the Xen tree: alphanumerics and "-/_@", no
 * double or trailing slash, "@name" only where a special watch name is allowed.
 * Called by store_*.c; holds no state.
 */
#ifndef UPCALL_VMM_XEN_STORE_PATH_H
#define UPCALL_VMM_XEN_STORE_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/io/xs_wire.h>

#define UC_STORE_PATH_SIZE (XENSTORE_ABS_PATH_MAX + 1)

/*
 * Write the absolute form of `path` to `out`; a relative one is below /local/domain/<domid>.
 * -EINVAL when it is no path. `special` admits "@name".
 */
int uc_store_path_abs(char out[UC_STORE_PATH_SIZE], const char *path, uint16_t domid, bool special);

/* The number of bytes of "/local/domain/<domid>/", which a relative path leaves out. */
unsigned uc_store_path_prefix_len(uint16_t domid);

/* `child` is `parent` or lies below it. */
bool uc_store_path_is_child(const char *child, const char *parent);

/* Cut the last component off an absolute path, in place; the parent of "/" is "/". */
void uc_store_path_to_parent(char *path);

#endif
