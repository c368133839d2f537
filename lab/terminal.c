/* SPDX-License-Identifier: MIT */
#include "lab/terminal.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* A signal that was ignored from the start (nohup, a shell's background job) stays ignored. */
static void add_unless_ignored(sigset_t *set, int sig)
{
	struct sigaction sa;

	if (!sigaction(sig, NULL, &sa) && sa.sa_handler != SIG_IGN)
		sigaddset(set, sig);
}

int uc_terminal_take(struct uc_terminal *t)
{
	sigset_t set;

	t->raw = false;
	sigemptyset(&set);
	add_unless_ignored(&set, SIGINT);
	add_unless_ignored(&set, SIGTERM);
	add_unless_ignored(&set, SIGHUP);
	add_unless_ignored(&set, SIGQUIT);
	sigaddset(&set, SIGWINCH);
	signal(SIGPIPE, SIG_IGN);
	t->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (t->signals < 0)
		return -errno;
	sigprocmask(SIG_BLOCK, &set, &t->old_mask);
	return 0;
}

void uc_terminal_raw(struct uc_terminal *t)
{
	struct termios raw;

	t->raw = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
		 !tcgetattr(STDIN_FILENO, &t->saved);
	if (!t->raw)
		return;
	raw = t->saved;
	cfmakeraw(&raw);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

void uc_terminal_restore(struct uc_terminal *t)
{
	if (t->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &t->saved);
	t->raw = false;
	close(t->signals);
	sigprocmask(SIG_SETMASK, &t->old_mask, NULL);
}
