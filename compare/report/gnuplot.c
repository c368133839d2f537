/* SPDX-License-Identifier: MIT */
/*
 * Runs gnuplot on a script. Script, picture and complaints are unnamed temporary files, so neither
 * side can wait for the other, and nothing is left behind. Called by plot.c.
 */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compare/report/plot.h"

extern char **environ;

static char *read_all(FILE *file)
{
	long size;
	char *text;

	if (fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0)
		return NULL;
	rewind(file);
	text = malloc((size_t)size + 1);
	if (!text)
		return NULL;
	text[fread(text, 1, (size_t)size, file)] = '\0';
	return text;
}

/* `-d`: the person's own start-up files would change the pictures. */
static int start(FILE *script, FILE *picture, FILE *complaints, pid_t *pid)
{
	char *argv[] = {"gnuplot", "-d", NULL};
	posix_spawn_file_actions_t actions;
	int err = posix_spawn_file_actions_init(&actions);

	if (err)
		return err;
	posix_spawn_file_actions_adddup2(&actions, fileno(script), STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fileno(picture), STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fileno(complaints), STDERR_FILENO);
	err = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return err;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void complain(FILE *complaints, struct uc_diag *diag)
{
	char *text = read_all(complaints);
	char *line = text ? text + strspn(text, " \r\n\t^") : NULL;

	if (line)
		line[strcspn(line, "\r\n")] = '\0';
	uc_fail(diag, UC_EXIT_INTERNAL, EIO, "no plots: gnuplot failed%s%s",
		line && *line ? ": " : "", line ? line : "");
	free(text);
}

static char *run(FILE *script, FILE *picture, FILE *complaints, struct uc_diag *diag)
{
	pid_t pid;
	int err;

	rewind(script);
	err = start(script, picture, complaints, &pid);
	if (err == ENOENT)
		uc_fail(diag, UC_EXIT_INTERNAL, ENOENT,
			"no plots: gnuplot is not installed (Debian: apt install gnuplot-nox)");
	else if (err)
		uc_fail(diag, UC_EXIT_INTERNAL, err, "no plots: gnuplot could not be started: %s",
			strerror(err));
	else if (wait_for(pid) != 0)
		complain(complaints, diag);
	else
		return read_all(picture);
	return NULL;
}

char *uc_gnuplot(FILE *script, struct uc_diag *diag)
{
	FILE *picture = tmpfile(), *complaints = tmpfile();
	char *svg = NULL;

	if (picture && complaints && !fflush(script))
		svg = run(script, picture, complaints, diag);
	if (picture)
		fclose(picture);
	if (complaints)
		fclose(complaints);
	if (!svg)
		uc_fail(diag, UC_EXIT_INTERNAL, EIO, "no plots: temporary files could not be made");
	return svg;
}
