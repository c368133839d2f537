/* SPDX-License-Identifier: MIT */
#include "vmm/ctl/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int uc_ctl_conn_open(struct uc_ctl_conn *c, int fd)
{
	*c = (struct uc_ctl_conn){.fd = fd, .in = malloc(UC_CTL_LINE_MAX)};
	return c->in ? 0 : -ENOMEM;
}

void uc_ctl_conn_close(struct uc_ctl_conn *c)
{
	close(c->fd);
	free(c->in);
	free(c->out);
	*c = (struct uc_ctl_conn){.fd = -1};
}

static bool again(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

int uc_ctl_conn_receive(struct uc_ctl_conn *c)
{
	size_t room = UC_CTL_LINE_MAX - c->in_bytes, line;
	ssize_t n = recv(c->fd, c->in + c->in_bytes, room, MSG_DONTWAIT);

	if (n < 0)
		return again(errno) ? 0 : -errno;
	if (n == 0)
		c->ended = true;
	c->in_bytes += (size_t)n;
	if (c->in_bytes == UC_CTL_LINE_MAX && !uc_ctl_conn_line(c, &line))
		return -EMSGSIZE;
	return 0;
}

const char *uc_ctl_conn_line(const struct uc_ctl_conn *c, size_t *bytes)
{
	const char *newline = c->in_bytes ? memchr(c->in, '\n', c->in_bytes) : NULL;

	if (!newline)
		return NULL;
	*bytes = (size_t)(newline - c->in);
	return c->in;
}

void uc_ctl_conn_consume(struct uc_ctl_conn *c, size_t bytes)
{
	c->in_bytes -= bytes + 1;
	memmove(c->in, c->in + bytes + 1, c->in_bytes);
}

void uc_ctl_conn_end(struct uc_ctl_conn *c)
{
	c->ended = true;
	c->in_bytes = 0;
}

/* Room for `bytes` more behind what waits. */
static int make_room(struct uc_ctl_conn *c, size_t bytes)
{
	char *bigger;

	if (bytes > UC_CTL_OUT_MAX - (c->out_bytes - c->out_sent))
		return -ENOBUFS;
	c->out_bytes -= c->out_sent;
	if (c->out_sent)
		memmove(c->out, c->out + c->out_sent, c->out_bytes);
	c->out_sent = 0;
	if (c->out_bytes + bytes <= c->out_size)
		return 0;
	bigger = realloc(c->out, c->out_bytes + bytes);
	if (!bigger)
		return -ENOMEM;
	c->out = bigger;
	c->out_size = c->out_bytes + bytes;
	return 0;
}

int uc_ctl_conn_send(struct uc_ctl_conn *c, const char *text, size_t bytes)
{
	int rc = make_room(c, bytes);

	if (rc)
		return rc;
	memcpy(c->out + c->out_bytes, text, bytes);
	c->out_bytes += bytes;
	return uc_ctl_conn_flush(c);
}

int uc_ctl_conn_flush(struct uc_ctl_conn *c)
{
	ssize_t n;

	if (!uc_ctl_conn_unsent(c))
		return 0;
	n = send(c->fd, c->out + c->out_sent, c->out_bytes - c->out_sent,
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return again(errno) ? 0 : -errno;
	c->out_sent += (size_t)n;
	if (!uc_ctl_conn_unsent(c)) {
		free(c->out);
		c->out = NULL;
		c->out_bytes = c->out_sent = c->out_size = 0;
	}
	return 0;
}

bool uc_ctl_conn_unsent(const struct uc_ctl_conn *c)
{
	return c->out_sent < c->out_bytes;
}
