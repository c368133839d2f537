/* SPDX-License-Identifier: MIT */
/* The edge: finds the sub-command, prints the one line of an error, sets the exit status. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

const struct uc_command *const uc_commands[] = {&uc_cmd_run,	  &uc_cmd_ctl,	  &uc_cmd_list,
						&uc_cmd_compare,  &uc_cmd_lab,	  &uc_cmd_trace,
						&uc_cmd_capacity, &uc_cmd_doctor, NULL};

const struct uc_command *uc_command_find(const char *name)
{
	for (const struct uc_command *const *cmd = uc_commands; *cmd; cmd++)
		if (!strcmp((*cmd)->name, name))
			return *cmd;
	return NULL;
}

static int run_command(const struct uc_command *cmd, int argc, char **argv)
{
	struct uc_diag diag = {0};
	int status = UC_EXIT_OK, rest = argc;
	int rc = uc_opts_parse(cmd, argc, argv, &rest, &diag);

	if (rc > 0) {
		uc_help_command(cmd);
		return UC_EXIT_OK;
	}
	if (!rc)
		rc = cmd->run(argc - rest, argv + rest, &status, &diag);
	if (rc) {
		fprintf(stderr, "upcall %s: %s\n", cmd->name,
			diag.text[0] ? diag.text : strerror(-rc));
		return diag.text[0] ? diag.status : UC_EXIT_INTERNAL;
	}
	return status;
}

int main(int argc, char **argv)
{
	const struct uc_command *cmd;

	/* A reader of ours that goes away is an error of one write, not the end of a guest. */
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help")) {
		uc_help_all();
		return argc < 2 ? UC_EXIT_USAGE : UC_EXIT_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("upcall " UC_VERSION);
		return UC_EXIT_OK;
	}
	if (!strcmp(argv[1], "--man")) {
		uc_help_man();
		return UC_EXIT_OK;
	}
	cmd = uc_command_find(argv[1]);
	if (!cmd) {
		fprintf(stderr, "upcall: unknown command %s; `upcall --help` lists the commands\n",
			argv[1]);
		return UC_EXIT_USAGE;
	}
	return run_command(cmd, argc - 1, argv + 1);
}
