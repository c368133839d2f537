/* SPDX-License-Identifier: MIT */
/*
 * The other side of the control socket, for commands: find machines, ask them. Blocks, for
 * UC_CTL_TIMEOUT_S at most while a machine is silent. Failures have the status UC_EXIT_CTL.
 */
#ifndef UPCALL_VMM_CTL_CLIENT_H
#define UPCALL_VMM_CTL_CLIENT_H

#include <jansson.h>

#include "vmm/diag.h"

#define UC_CTL_TIMEOUT_S 30 /* a restart in place takes seconds in the lab */

struct uc_ctl_client {
	int fd;
	const char *name; /* the caller's */
};

/* -ENOENT when no machine of that name runs; the text then names those that do. */
int uc_ctl_connect(struct uc_ctl_client *client, const char *name, struct uc_diag *diag);
void uc_ctl_disconnect(struct uc_ctl_client *client);

/* Send one request, wait for its reply. 0 and *result (the caller's), or -errno as the machine
 * gave it. */
int uc_ctl_ask(struct uc_ctl_client *client, const json_t *request, json_t **result,
	       struct uc_diag *diag);
/* The same, on a connection of its own. */
int uc_ctl_ask_once(const char *name, const json_t *request, json_t **result, struct uc_diag *diag);

/* Names of the running machines, sorted; an array of strings, or NULL with `diag` filled. */
json_t *uc_ctl_running(struct uc_diag *diag);

#endif
