/* SPDX-License-Identifier: MIT */
#include "vmm/dev/console_stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/dev/console_tty.h"

#define ESCAPE_KEY 0x01 /* Ctrl-A */

/*
 * A descriptor of our own that does not block. O_NONBLOCK belongs to the open file, which the
 * shell and others share, so a terminal or pipe is opened again. A socket has MSG_DONTWAIT, and
 * a regular file does not block and must keep the shared offset.
 */
static int open_again(int fd, int mode, bool *is_socket)
{
	char path[32];
	struct stat st;
	int again = -1;

	if (fstat(fd, &st))
		return -errno;
	*is_socket = S_ISSOCK(st.st_mode);
	if (S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && isatty(fd))) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		again = open(path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	if (again < 0)
		again = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return again < 0 ? -errno : again;
}

/* epoll refuses files and /dev/null, which are always ready: so is this. */
static int pollable(int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	int ep = epoll_create1(EPOLL_CLOEXEC), rc, err;

	if (ep < 0)
		return -errno;
	rc = epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
	err = errno;
	close(ep);
	if (!rc)
		return fd;
	if (err != EPERM)
		return -err;
	fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static ssize_t sink_write(void *ctx, const void *buf, size_t len)
{
	struct uc_console_stdio *s = ctx;
	ssize_t n = s->out_socket ? send(s->out, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL)
				  : write(s->out, buf, len);

	return n < 0 ? -errno : n;
}

static void sink_notify(void *ctx)
{
	struct uc_console_stdio *s = ctx;

	s->ops->notify(s->ctx);
}

static void sink_log(void *ctx, const char *text)
{
	struct uc_console_stdio *s = ctx;

	if (s->ops->log)
		s->ops->log(s->ctx, text);
}

static const struct uc_console_ops sink_ops = {sink_write, sink_notify, sink_log};

static int open_fds(struct uc_console_stdio *s, int in, int out)
{
	s->in = open_again(in, O_RDONLY, &s->in_socket);
	if (s->in < 0)
		return s->in;
	s->out = open_again(out, O_WRONLY, &s->out_socket);
	if (s->out < 0)
		return s->out;
	s->in_poll = pollable(s->in);
	return s->in_poll < 0 ? s->in_poll : 0;
}

int uc_console_stdio_open(struct uc_console_stdio *s, struct xencons_interface *page, int in,
			  int out, const struct uc_console_stdio_ops *ops, void *ctx)
{
	int rc;

	memset(s, 0, sizeof(*s));
	s->in = s->out = s->in_poll = -1;
	s->ops = ops;
	s->ctx = ctx;
	uc_console_init(&s->console, page, &sink_ops, s);
	rc = open_fds(s, in, out);
	if (!rc && isatty(in)) {
		rc = uc_console_tty_raw(s->in);
		s->tty = !rc;
	}
	if (rc)
		uc_console_stdio_close(s);
	return rc;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void uc_console_stdio_close(struct uc_console_stdio *s)
{
	if (s->tty)
		uc_console_tty_restore();
	s->tty = false;
	s->in_ended = true;
	if (s->in_poll != s->in)
		close_fd(&s->in_poll);
	s->in_poll = -1;
	close_fd(&s->in);
	close_fd(&s->out);
}

/* Give the guest what was kept for it. */
static void push(struct uc_console_stdio *s)
{
	int n = s->kept ? uc_console_input(&s->console, s->input + s->kept_at, s->kept) : 0;

	if (n <= 0)
		return;
	s->kept_at += (size_t)n;
	s->kept -= (size_t)n;
}

/* One key after Ctrl-A; true for "end the VMM". */
static bool escaped_key(struct uc_console_stdio *s, char key)
{
	s->escaped = false;
	if (key == 'x')
		return true;
	s->input[s->kept++] = ESCAPE_KEY;
	if (key != ESCAPE_KEY)
		s->input[s->kept++] = key;
	return false;
}

/* Up to UC_CONSOLE_INPUT_MAX bytes grow to at most one more: an escape from the read before. */
static bool take_keys(struct uc_console_stdio *s, const char *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s->escaped) {
			if (escaped_key(s, keys[i]))
				return true;
		} else if (s->tty && keys[i] == ESCAPE_KEY)
			s->escaped = true;
		else
			s->input[s->kept++] = keys[i];
	}
	return false;
}

bool uc_console_on_stdin_readable(struct uc_console_stdio *s)
{
	char keys[UC_CONSOLE_INPUT_MAX];
	bool quit;
	ssize_t n;

	if (!uc_console_want_stdin(s))
		return false;
	n = s->in_socket ? recv(s->in, keys, sizeof(keys), MSG_DONTWAIT)
			 : read(s->in, keys, sizeof(keys));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) { /* the end, a terminal that hung up, an error: no more input */
		s->in_ended = true;
		return false;
	}
	s->kept_at = 0;
	quit = take_keys(s, keys, (size_t)n);
	push(s);
	return quit;
}

static void drain(struct uc_console_stdio *s)
{
	s->out_full = uc_console_output(&s->console) == -EAGAIN;
}

void uc_console_on_stdout_writable(struct uc_console_stdio *s)
{
	drain(s);
}

void uc_console_on_kick(struct uc_console_stdio *s)
{
	drain(s);
	push(s);
}
