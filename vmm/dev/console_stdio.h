/* SPDX-License-Identifier: MIT */
/*
 * The guest's console on this process' stdin and stdout.
 *
 * On a terminal, stdin is put in raw mode (the guest's own tty does the editing, and Ctrl-C is
 * the guest's) and restored by uc_console_stdio_close(), at exit(), and on a signal that ends
 * the process, but SIGKILL. There Ctrl-A is the escape key, as in QEMU:
 *     Ctrl-A x        end the VMM
 *     Ctrl-A Ctrl-A   one Ctrl-A for the guest
 *     Ctrl-A other    both for the guest
 * A stdin that is no terminal is passed on byte by byte, without an escape key; at its end the
 * guest keeps running.
 *
 * Nothing blocks and nothing is lost: bytes that the guest has no room for are kept, and stdin
 * is not read while there are any (uc_console_want_stdin()); output that stdout does not take
 * stays in the guest's ring (uc_console_want_stdout()).
 *
 * Used by the VMM's control thread only: level-triggered epoll on the two descriptors, for what
 * the two want functions say after each call here, and uc_console_on_kick() for the guest's port.
 */
#ifndef UPCALL_VMM_DEV_CONSOLE_STDIO_H
#define UPCALL_VMM_DEV_CONSOLE_STDIO_H

#include "vmm/dev/console.h"

#define UC_CONSOLE_INPUT_MAX 1024

struct uc_console_stdio_ops {
	void (*notify)(void *ctx);		  /* raise the guest's console port */
	void (*log)(void *ctx, const char *text); /* may be NULL */
};

struct uc_console_stdio {
	struct uc_console console;
	const struct uc_console_stdio_ops *ops;
	void *ctx;
	int in, out; /* to read and to write */
	int in_poll; /* to wait on: `in`, or a descriptor that is always ready */
	bool in_socket, out_socket;
	bool tty;     /* raw mode is on, and the escape key */
	bool escaped; /* Ctrl-A was the last key */
	bool in_ended;
	bool out_full;	      /* stdout refused bytes */
	size_t kept_at, kept; /* input that the guest has no room for yet */
	char input[2 * UC_CONSOLE_INPUT_MAX];
};

/* `in` and `out` (0 and 1) stay the caller's. 0 or -errno. */
int uc_console_stdio_open(struct uc_console_stdio *s, struct xencons_interface *page, int in,
			  int out, const struct uc_console_stdio_ops *ops, void *ctx);
/* Restores the terminal. */
void uc_console_stdio_close(struct uc_console_stdio *s);

/* What to put into epoll. out_fd may be no object for epoll (a file): then it never is full. */
static inline int uc_console_stdio_in_fd(const struct uc_console_stdio *s)
{
	return s->in_poll;
}

static inline int uc_console_stdio_out_fd(const struct uc_console_stdio *s)
{
	return s->out;
}

static inline bool uc_console_want_stdin(const struct uc_console_stdio *s)
{
	return !s->in_ended && !s->kept && !s->console.broken;
}

static inline bool uc_console_want_stdout(const struct uc_console_stdio *s)
{
	return s->out_full && !s->console.broken;
}

/* Read once and pass on. True: the user asked to end the VMM. */
bool uc_console_on_stdin_readable(struct uc_console_stdio *s);
void uc_console_on_stdout_writable(struct uc_console_stdio *s);
/* The guest kicked the console's port: it wrote output, or made room for input. */
void uc_console_on_kick(struct uc_console_stdio *s);

#endif
