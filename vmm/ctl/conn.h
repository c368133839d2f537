/* SPDX-License-Identifier: MIT */
/*
 * One client's connection: bytes in, whole lines out of them; replies in, bytes out of them. Never
 * blocks. Both buffers are bounded: a line by UC_CTL_LINE_MAX, what a client has not read yet by
 * UC_CTL_OUT_MAX. Knows nothing of what the lines mean; server.c calls it.
 */
#ifndef UPCALL_VMM_CTL_CONN_H
#define UPCALL_VMM_CTL_CONN_H

#include <stdbool.h>
#include <stddef.h>

#define UC_CTL_LINE_MAX 65536u	   /* with its newline */
#define UC_CTL_OUT_MAX	(1u << 20) /* one reply is far below: PORTS_MAX, ops_basic.c */

struct uc_ctl_conn {
	int fd;
	char *in; /* UC_CTL_LINE_MAX bytes */
	size_t in_bytes;
	char *out;
	size_t out_bytes, out_sent, out_size;
	bool ended; /* no more is taken from the client */
};

/* Takes over the descriptor, which is non-blocking. -ENOMEM: it is still the caller's. */
int uc_ctl_conn_open(struct uc_ctl_conn *c, int fd);
void uc_ctl_conn_close(struct uc_ctl_conn *c);

/*
 * Read once; the buffer holds no whole line. -errno when the connection is broken, -EMSGSIZE when
 * a line is longer than allowed.
 */
int uc_ctl_conn_receive(struct uc_ctl_conn *c);
/* The first whole line and its length without the newline; NULL when there is none. */
const char *uc_ctl_conn_line(const struct uc_ctl_conn *c, size_t *bytes);
/* Done with that line. */
void uc_ctl_conn_consume(struct uc_ctl_conn *c, size_t bytes);
/* Nothing more will be taken from this client. */
void uc_ctl_conn_end(struct uc_ctl_conn *c);

/* Queue, and write what can be written now. -ENOBUFS: the client does not read its replies. */
int uc_ctl_conn_send(struct uc_ctl_conn *c, const char *text, size_t bytes);
int uc_ctl_conn_flush(struct uc_ctl_conn *c);
bool uc_ctl_conn_unsent(const struct uc_ctl_conn *c);

#endif
