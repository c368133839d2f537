/* SPDX-License-Identifier: MIT */
/* `upcall lab`: its options, and what of the inner command's line concerns the lab. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "lab/lab.h"

#define LAB_UPCALL "/usr/bin/upcall"

static struct {
	struct uc_lab_config config;
	bool shell, exec;
	struct uc_opt_list files;
} lab = {.config = {.memory_bytes = 4ull << 30}};

static const struct uc_opt opts[] = {
	{"shell", UC_OPT_FLAG, NULL, "a shell inside the lab instead of a command", &lab.shell},
	{"exec", UC_OPT_FLAG, NULL, "CMD is a program of the lab (busybox, sh), not of upcall",
	 &lab.exec},
	{"file", UC_OPT_FILES, "FILE",
	 "carry FILE into the lab too, under the same path; repeatable", &lab.files},
	{"cpus", UC_OPT_UINT, "N", "CPUs of the lab's machine, emulated in turns (default: 1)",
	 &lab.config.cpus, 1, 64},
	{"virtual-time", UC_OPT_FLAG, NULL,
	 "the machine's clock counts the instructions of its CPUs, 1 ns each, instead of the time "
	 "that passes here: for measuring",
	 &lab.config.virtual_time},
	{"memory", UC_OPT_SIZE, "SIZE", "memory of the lab's machine (default 4G)",
	 &lab.config.memory_bytes, 512ull << 20, 1ull << 40},
	{"keep-log", UC_OPT_STR, "FILE", "keep the console log of the lab's machine",
	 &lab.config.log_path},
	{NULL},
};

/* The files that the inner command's options name; they are parsed here as they will be there,
 * so that a mistake in them is said before a machine starts. */
static int add_files(struct uc_opt_list *files, const struct uc_opt *inner, struct uc_diag *diag)
{
	for (; inner && inner->name; inner++) {
		const char *const *file = inner->value;
		const struct uc_opt_list *list = inner->value;
		unsigned int count = inner->type == UC_OPT_FILE ? *file != NULL : 0;

		if (inner->type == UC_OPT_FILES) {
			file = list->word;
			count = list->count;
		}
		for (unsigned int i = 0; i < count; i++) {
			if (files->count == UC_OPT_LIST_MAX)
				return uc_fail(diag, UC_EXIT_USAGE, E2BIG,
					       "the lab carries at most %d files", UC_OPT_LIST_MAX);
			files->word[files->count++] = file[i];
		}
	}
	return 0;
}

/* 1 when the inner --help was asked for and shown. */
static int parse_inner(int argc, char **argv, struct uc_diag *diag)
{
	const struct uc_command *inner = uc_command_find(argv[0]);
	int rest, rc;

	if (!inner || inner == &uc_cmd_lab)
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "%s is no command for the lab; name one such as run or doctor, or "
			       "use --exec for another program",
			       argv[0]);
	rc = uc_opts_parse(inner, argc, argv, &rest, diag);
	if (rc > 0)
		uc_help_command(inner);
	return rc ? rc : add_files(&lab.files, inner->opts, diag);
}

static int check_usage(int argc, struct uc_diag *diag)
{
	if (lab.shell && (lab.exec || argc))
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL, "--shell takes no command");
	if (!lab.shell && !argc)
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "what is to run? Give a command (upcall lab run ...) or --shell");
	return 0;
}

static void notice(const char *line)
{
	fprintf(stderr, "upcall lab: %s\n", line);
}

static int run_job(char *const *argv, int *status, struct uc_diag *diag)
{
	struct uc_lab_job job = {
		.argv = argv, .files = lab.files.word, .nr_files = lab.files.count};

	lab.config.notice = notice;
	return uc_lab_run(&lab.config, &job, status, diag);
}

static int run_upcall(int argc, char **argv, int *status, struct uc_diag *diag)
{
	char **words;
	int rc = parse_inner(argc, argv, diag);

	if (rc)
		return rc > 0 ? 0 : rc;
	words = calloc((size_t)argc + 2, sizeof(*words));
	if (!words)
		return -ENOMEM;
	words[0] = LAB_UPCALL;
	memcpy(words + 1, argv, (size_t)argc * sizeof(*words));
	rc = run_job(words, status, diag);
	free(words);
	return rc;
}

static int run(int argc, char **argv, int *status, struct uc_diag *diag)
{
	static char *shell[] = {"sh", NULL};
	int rc = check_usage(argc, diag);

	if (rc)
		return rc;
	if (lab.shell)
		return run_job(shell, status, diag);
	if (lab.exec)
		return run_job(argv, status, diag);
	return run_upcall(argc, argv, status, diag);
}

const struct uc_command uc_cmd_lab = {
	.name = "lab",
	.args = "CMD [ARG]...",
	.summary = "Run `upcall CMD ARG...` on an emulated machine whose KVM can run the guests.",
	.details =
		"For machines without SVM or VMX, or without KVM's Xen support. Each run starts a\n"
		"fresh machine (QEMU, pure emulation, Debian's 6.12 cloud kernel), which takes 3 "
		"to 4 s.\n"
		"Standard input, output and error are joined to the command's; on a terminal it "
		"gets\n"
		"a terminal. The files that its options name are carried along, under the same "
		"paths.\n"
		"The exit status is the command's; 30 to 32 are the lab's own, and 128 + N means "
		"that\n"
		"signal N ended it. 32 (the lab's machine died) is worth another try.\n"
		"\n"
		"  upcall lab run --kernel vmlinuz --append 'console=hvc0'\n"
		"  upcall lab --shell\n"
		"  upcall lab --file t.sh --exec sh t.sh",
	.opts = opts,
	.rest_is_command = true,
	.run = run,
};
