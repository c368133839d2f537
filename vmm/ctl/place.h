/* SPDX-License-Identifier: MIT */
/*
 * Where the control sockets are: one directory per user, NAME.sock and NAME.lock in it. A name is
 * had by whoever holds the lock of NAME.lock; the kernel gives it back when its holder dies, so a
 * socket whose lock is free is a dead machine's and may be replaced. Called by the server
 * (uc_ctl_claim) and by clients (the rest).
 */
#ifndef UPCALL_VMM_CTL_PLACE_H
#define UPCALL_VMM_CTL_PLACE_H

#include <stdbool.h>
#include <sys/un.h>

#include "vmm/diag.h"

#define UC_CTL_NAME_MAX	    64
#define UC_CTL_NAME_DEFAULT "guest"
#define UC_CTL_PATH_SIZE    sizeof(((struct sockaddr_un *)0)->sun_path)

/* 1 to 64 letters, digits, '-', '_', '.'; not starting with '.' or '-'. */
bool uc_ctl_name_valid(const char *name);

/*
 * The user's directory: $XDG_RUNTIME_DIR/upcall where that variable names a directory of the
 * user's; else /run/upcall for root and /tmp/upcall-UID for others. `create`: make it when it is
 * missing; else -ENOENT without `diag` then. A directory that others own or can enter is refused.
 */
int uc_ctl_dir(char dir[UC_CTL_PATH_SIZE], bool create, struct uc_diag *diag);

/* DIR/NAME.sock as an address; fails when it does not fit. */
int uc_ctl_address(struct sockaddr_un *addr, const char *dir, const char *name,
		   struct uc_diag *diag);

struct uc_ctl_claim {
	char name[UC_CTL_NAME_MAX + 1];
	char lock_path[UC_CTL_PATH_SIZE];
	struct sockaddr_un addr;
	int lock_fd;
	int listen_fd;
};

/*
 * Take the name and listen on its socket. NULL: the default name, or that with the first free
 * number behind it. -EADDRINUSE when a machine of that name runs.
 */
int uc_ctl_claim(struct uc_ctl_claim *claim, const char *name, struct uc_diag *diag);
/* Remove socket and lock. */
void uc_ctl_unclaim(struct uc_ctl_claim *claim);

#endif
