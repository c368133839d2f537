/* SPDX-License-Identifier: MIT */
/* JSON for a person: aligned "key: value" lines, tables for arrays of objects; or JSON itself. */
#ifndef UPCALL_CLI_SHOW_H
#define UPCALL_CLI_SHOW_H

#include <jansson.h>
#include <stdbool.h>

#include "vmm/diag.h"

/* On stdout. -errno with `diag` when that cannot be written. */
int uc_show(const json_t *json, bool as_json, struct uc_diag *diag);

#endif
