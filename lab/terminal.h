/* SPDX-License-Identifier: MIT */
/*
 * The signals and the terminal, which belong to a lab while it runs. Restored in every way that
 * the run can end, except SIGKILL. Called by session.c.
 */
#ifndef UPCALL_LAB_TERMINAL_H
#define UPCALL_LAB_TERMINAL_H

#include <signal.h>
#include <stdbool.h>
#include <termios.h>

struct uc_terminal {
	bool raw; /* stdin and stdout are a terminal: the command gets one too */
	struct termios saved;
	sigset_t old_mask;
	int signals; /* signalfd: those that end the lab, and SIGWINCH */
};

/* Take the signals; the terminal is left as it is until uc_terminal_raw(). 0 or -errno. */
int uc_terminal_take(struct uc_terminal *t);
void uc_terminal_raw(struct uc_terminal *t);
void uc_terminal_restore(struct uc_terminal *t);

#endif
