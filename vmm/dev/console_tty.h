/* SPDX-License-Identifier: MIT */
/*
 * One terminal in raw mode, restored on every way out of the process: explicitly, at exit(), and
 * on the signals that end a process by default (those that somebody else handles are left alone;
 * who handles them calls exit() or uc_console_tty_restore()).
 * Process-wide state by nature: a process has one controlling terminal. Used by console_stdio.c.
 */
#ifndef UPCALL_VMM_DEV_CONSOLE_TTY_H
#define UPCALL_VMM_DEV_CONSOLE_TTY_H

/* Put the terminal `fd` in raw mode. -EBUSY when one is already; -errno of the terminal. */
int uc_console_tty_raw(int fd);
/* Back to the state before; does nothing when no terminal is raw. Async-signal-safe. */
void uc_console_tty_restore(void);

#endif
