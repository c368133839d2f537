/* SPDX-License-Identifier: MIT */
/*
 * What the lab's two ends say to each other: `upcall lab` on the host and the agent (agent.c),
 * which is the lab machine's first process. Four virtio-serial ports join them; three are plain
 * byte streams (the command's stdin, stdout, stderr), one carries these messages. The end of a
 * stream is not in the stream: a message says how many bytes it had, and the reader counts.
 *
 * Both ends are built together and travel in one binary, so the format has no versions.
 */
#ifndef UPCALL_LAB_WIRE_H
#define UPCALL_LAB_WIRE_H

#include <stddef.h>
#include <stdint.h>

enum uc_lab_port { /* /dev/vport0pN in the lab; 0 is reserved for a console */
		   UC_LAB_CTL = 1,
		   UC_LAB_STDIN = 2,
		   UC_LAB_STDOUT = 3,
		   UC_LAB_STDERR = 4,
};

enum uc_lab_msg_type {
	/* The job, host to agent, in this order; payload: a string with its NUL, or file data */
	UC_LAB_MSG_CWD = 1,
	UC_LAB_MSG_ENV,	  /* NAME=VALUE */
	UC_LAB_MSG_ARG,	  /* one word of the command */
	UC_LAB_MSG_FILE,  /* a file's path; arg[0]: its mode */
	UC_LAB_MSG_CHUNK, /* the next bytes of that file */
	UC_LAB_MSG_START, /* arg[0]: 1 = on a terminal, of arg[1] rows, arg[2] columns */
	/* Host to agent, while the command runs */
	UC_LAB_MSG_WINSIZE,   /* arg[0] rows, arg[1] columns */
	UC_LAB_MSG_STDIN_END, /* arg[0]: bytes that stdin had */
	UC_LAB_MSG_CLOSED,    /* arg[0]: STDOUT or STDERR, which nobody reads any more */
	/* Agent to host */
	UC_LAB_MSG_HELLO, /* the machine is up */
	UC_LAB_MSG_EXIT,  /* arg[0] status, arg[1] bytes of stdout, arg[2] of stderr */
	UC_LAB_MSG_FAIL,  /* payload: one line; the command cannot be started */
};

#define UC_LAB_PAYLOAD_MAX (256u << 10)

struct uc_lab_msg {
	uint32_t type;
	uint32_t len; /* bytes of payload that follow */
	uint64_t arg[3];
};

/* Each moves exactly `len` bytes. 0, or -errno; -EPIPE when the other end is gone. */
int uc_wire_read(int fd, void *buf, size_t len);
int uc_wire_write(int fd, const void *buf, size_t len);

int uc_wire_send(int fd, const struct uc_lab_msg *msg, const void *payload);
/* `payload` holds UC_LAB_PAYLOAD_MAX + 1 bytes; a NUL is put behind what came. */
int uc_wire_recv(int fd, struct uc_lab_msg *msg, char *payload);

#endif
