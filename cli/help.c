/* SPDX-License-Identifier: MIT */
/* --help and the man page, both printed from the option tables. */
#include <stdio.h>

#include "cli/cli.h"

/* The page's, which mandoc(1) asks for: not the day of the build, so that builds are repeatable. */
#define MAN_DATE "2026-11-21"

static void print_opt(const struct uc_opt *opt)
{
	char left[64];

	snprintf(left, sizeof(left), "--%s%s%s", opt->name, opt->arg ? " " : "",
		 opt->arg ? opt->arg : "");
	printf("  %-22s %s\n", left, opt->help);
}

void uc_help_command(const struct uc_command *cmd)
{
	const struct uc_opt *opt;

	printf("usage: upcall %s%s%s%s\n\n%s\n", cmd->name, cmd->opts ? " [OPTION]..." : "",
	       cmd->args[0] ? " " : "", cmd->args, cmd->summary);
	if (cmd->details)
		printf("\n%s\n", cmd->details);
	if (cmd->opts)
		printf("\noptions:\n");
	for (opt = cmd->opts; opt && opt->name; opt++)
		print_opt(opt);
}

void uc_help_all(void)
{
	const struct uc_command *const *cmd;

	printf("usage: upcall COMMAND [OPTION]...\n\n"
	       "A small VMM for Linux/KVM that boots unmodified Linux guests on Xen FIFO event "
	       "channels.\n\ncommands:\n");
	for (cmd = uc_commands; *cmd; cmd++)
		printf("  %-10s %s\n", (*cmd)->name, (*cmd)->summary);
	printf("\n`upcall COMMAND --help` tells more; `upcall --version` names the version.\n");
}

/* Roff treats a leading dot or quote, and every backslash and hyphen, specially. */
static void roff(const char *text)
{
	bool line_start = true;

	for (; *text; text++) {
		if (line_start && (*text == '.' || *text == '\''))
			fputs("\\&", stdout);
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
		line_start = *text == '\n';
	}
	putchar('\n');
}

static void man_command(const struct uc_command *cmd)
{
	const struct uc_opt *opt;

	printf(".SS upcall %s\n", cmd->name);
	roff(cmd->summary);
	if (cmd->details) {
		printf(".PP\n.nf\n");
		roff(cmd->details);
		printf(".fi\n");
	}
	for (opt = cmd->opts; opt && opt->name; opt++) {
		printf(".TP\n.B \\-\\-%s", opt->name);
		if (opt->arg)
			printf(" \\fI%s\\fR", opt->arg);
		putchar('\n');
		roff(opt->help);
	}
}

static void man_exit_status(void)
{
	static const struct {
		int status;
		const char *meaning;
	} rows[] = {
		{UC_EXIT_OK, "the guest powered off, or the command succeeded"},
		{UC_EXIT_USAGE, "a malformed option or argument"},
		{UC_EXIT_REBOOT, "the guest asked for a reboot and --no-reboot was given"},
		{UC_EXIT_CRASH, "the guest crashed (panic)"},
		{UC_EXIT_TRIPLE_FAULT, "a vCPU of the guest ended in a triple fault"},
		{UC_EXIT_WATCHDOG, "the guest's watchdog ended it"},
		{UC_EXIT_INTERNAL, "the VMM failed: a bug, or a resource of the host"},
		{UC_EXIT_KERNEL, "the kernel file is none that can be booted"},
		{UC_EXIT_INITRD, "the initrd cannot be read or does not fit"},
		{UC_EXIT_NO_KVM, "/dev/kvm is missing or may not be opened"},
		{UC_EXIT_KVM_CAP, "KVM here cannot run these guests; `upcall lab` can"},
		{UC_EXIT_MEMORY, "the guest's memory cannot be had, or is too small"},
		{UC_EXIT_LAB_TOOL, "a tool that the lab needs is not installed"},
		{UC_EXIT_LAB_FETCH, "the lab's kernel cannot be downloaded"},
		{UC_EXIT_LAB_HOST, "the lab's own machine died"},
		{UC_EXIT_CTL, "no such machine is running, or it refused the request"},
	};

	printf(".SH EXIT STATUS\n");
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		printf(".TP\n.B %d\n", rows[i].status);
		roff(rows[i].meaning);
	}
}

void uc_help_man(void)
{
	const struct uc_command *const *cmd;

	printf(".TH UPCALL 1 " MAN_DATE " \"upcall " UC_VERSION "\"\n.SH NAME\n"
	       "upcall \\- run unmodified Linux guests on Xen FIFO event channels under KVM\n"
	       ".SH SYNOPSIS\n");
	for (cmd = uc_commands; *cmd; cmd++) {
		printf("%s.B upcall %s\n[\\fIOPTION\\fR]...", cmd == uc_commands ? "" : ".br\n",
		       (*cmd)->name);
		roff((*cmd)->args[0] ? (*cmd)->args : "");
	}
	printf(".SH COMMANDS\n");
	for (cmd = uc_commands; *cmd; cmd++)
		man_command(*cmd);
	man_exit_status();
}
