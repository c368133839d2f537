/* SPDX-License-Identifier: MIT */
/* The option parser: reads a table (cli.h), stores values, says what was wrong. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

int uc_parse_size(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	unsigned long long n;
	unsigned int shift = 20;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return -EINVAL;
	if (*end) {
		suffix = strchr(suffixes, toupper((unsigned char)*end));
		if (!suffix || end[1])
			return -EINVAL;
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
	}
	if (n > (UINT64_MAX >> shift))
		return -EINVAL;
	*bytes = (uint64_t)n << shift;
	return 0;
}

static int store_uint(const struct uc_opt *opt, const char *arg, struct uc_diag *diag)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(arg, &end, 10);
	if (!isdigit((unsigned char)arg[0]) || *end || errno || n < opt->min || n > opt->max)
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "--%s %s: give a whole number from %llu to %llu", opt->name, arg,
			       (unsigned long long)opt->min, (unsigned long long)opt->max);
	*(unsigned int *)opt->value = (unsigned int)n;
	return 0;
}

static int store_size(const struct uc_opt *opt, const char *arg, struct uc_diag *diag)
{
	uint64_t bytes;

	if (uc_parse_size(arg, &bytes) || bytes < opt->min || bytes > opt->max)
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "--%s %s: give a size from %lluM to %lluM, such as 512M or 2G",
			       opt->name, arg, (unsigned long long)(opt->min >> 20),
			       (unsigned long long)(opt->max >> 20));
	*(uint64_t *)opt->value = bytes & ~4095ull;
	return 0;
}

static int store_word(const struct uc_opt *opt, const char *arg, struct uc_diag *diag)
{
	struct uc_opt_list *list = opt->value;

	if (list->count == UC_OPT_LIST_MAX)
		return uc_fail(diag, UC_EXIT_USAGE, E2BIG, "--%s: give it at most %d times",
			       opt->name, UC_OPT_LIST_MAX);
	list->word[list->count++] = arg;
	return 0;
}

static int store(const struct uc_opt *opt, const char *arg, struct uc_diag *diag)
{
	switch (opt->type) {
	case UC_OPT_FLAG:
		*(bool *)opt->value = true;
		return 0;
	case UC_OPT_STR:
	case UC_OPT_FILE:
		*(const char **)opt->value = arg;
		return 0;
	case UC_OPT_FILES:
		return store_word(opt, arg, diag);
	case UC_OPT_UINT:
		return store_uint(opt, arg, diag);
	case UC_OPT_SIZE:
		return store_size(opt, arg, diag);
	}
	return -EINVAL;
}

static const struct uc_opt *find(const struct uc_opt *opts, const char *name, size_t len)
{
	for (; opts && opts->name; opts++)
		if (strlen(opts->name) == len && !memcmp(opts->name, name, len))
			return opts;
	return NULL;
}

/* One "--name[=value]" at argv[*i]; advances *i over a value in the next word. */
static int parse_one(const struct uc_command *cmd, int argc, char **argv, int *i,
		     struct uc_diag *diag)
{
	const char *word = argv[*i] + 2, *eq = strchr(word, '=');
	size_t len = eq ? (size_t)(eq - word) : strlen(word);
	const struct uc_opt *opt = find(cmd->opts, word, len);
	const char *arg = NULL;

	if (!opt)
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "unknown option %s; `upcall %s --help` lists the options", argv[*i],
			       cmd->name);
	if (opt->type == UC_OPT_FLAG && eq)
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL, "--%s takes no value", opt->name);
	if (opt->type != UC_OPT_FLAG) {
		arg = eq ? eq + 1 : (*i + 1 < argc ? argv[++*i] : NULL);
		if (!arg || !arg[0])
			return uc_fail(diag, UC_EXIT_USAGE, EINVAL, "--%s needs a value (%s)",
				       opt->name, opt->arg);
	}
	return store(opt, arg, diag);
}

int uc_opts_parse(const struct uc_command *cmd, int argc, char **argv, int *rest,
		  struct uc_diag *diag)
{
	int i, rc;

	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return 1;
		if (argv[i][1] != '-')
			return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
				       "unknown option %s; `upcall %s --help` lists the options",
				       argv[i], cmd->name);
		rc = parse_one(cmd, argc, argv, &i, diag);
		if (rc)
			return rc;
	}
	*rest = i;
	if (i < argc && !cmd->rest_is_command)
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "unexpected argument %s; `upcall %s --help` shows the usage",
			       argv[i], cmd->name);
	return 0;
}
