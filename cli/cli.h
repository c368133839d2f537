/* SPDX-License-Identifier: MIT */
/*
 * The command line. One file per sub-command, one option table per sub-command: the parser, --help
 * and the man page are all made from the table, so they cannot drift apart.
 */
#ifndef UPCALL_CLI_CLI_H
#define UPCALL_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/diag.h"

enum uc_opt_type {
	UC_OPT_FLAG,  /* bool */
	UC_OPT_STR,   /* const char * */
	UC_OPT_FILE,  /* const char *: a file to read; `upcall lab` carries it along */
	UC_OPT_FILES, /* struct uc_opt_list: such files, one per occurrence of the option */
	UC_OPT_UINT,  /* unsigned int, within [min, max] */
	UC_OPT_SIZE,  /* uint64_t bytes, within [min, max]; K, M, G, T suffixes, plain = MiB */
};

#define UC_OPT_LIST_MAX 32

struct uc_opt_list {
	const char *word[UC_OPT_LIST_MAX];
	unsigned int count;
};

struct uc_opt {
	const char *name; /* without the dashes; NULL ends a table */
	enum uc_opt_type type;
	const char *arg; /* the argument's name in --help; NULL for a flag */
	const char *help;
	void *value; /* where the parser stores it; the initial value is the default */
	uint64_t min, max;
};

struct uc_command {
	const char *name;
	const char *args;    /* what follows the options in the synopsis, or "" */
	const char *summary; /* one line */
	const char *details; /* paragraphs for --help and the man page, or NULL */
	const struct uc_opt *opts;
	bool rest_is_command; /* parsing stops at the first word that is not an option */
	/*
	 * `argc`/`argv`: what is left after the options. Returns 0 with *status set, or -errno
	 * with `diag` filled.
	 */
	int (*run)(int argc, char **argv, int *status, struct uc_diag *diag);
};

extern const struct uc_command uc_cmd_run, uc_cmd_ctl, uc_cmd_list, uc_cmd_lab, uc_cmd_compare,
	uc_cmd_doctor;
extern const struct uc_command uc_cmd_trace, uc_cmd_capacity;
extern const struct uc_command *const uc_commands[]; /* ends with NULL */

const struct uc_command *uc_command_find(const char *name);

/*
 * Parse argv[1..] by the table; on success *rest is the index of the first word left. Returns 0,
 * 1 when --help was given, or -EINVAL with `diag` filled.
 */
int uc_opts_parse(const struct uc_command *cmd, int argc, char **argv, int *rest,
		  struct uc_diag *diag);
/* "512M" -> bytes. -EINVAL when malformed. */
int uc_parse_size(const char *text, uint64_t *bytes);

void uc_help_command(const struct uc_command *cmd);
void uc_help_all(void);
void uc_help_man(void); /* roff on stdout */

#endif
