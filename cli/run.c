/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "cli/cli.h"

static int run(int argc, char **argv, int *status, struct uc_diag *diag)
{
	(void)argc, (void)argv, (void)status;
	return uc_fail(diag, UC_EXIT_INTERNAL, ENOSYS, "not here yet");
}

const struct uc_command uc_cmd_run = {.name = "run", .args = "", .summary = "", .run = run};
