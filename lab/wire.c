/* SPDX-License-Identifier: MIT */
/* Moving whole messages over a descriptor; used by both ends of the lab, see wire.h. */
#include "lab/wire.h"

#include <errno.h>
#include <unistd.h>

int uc_wire_read(int fd, void *buf, size_t len)
{
	char *at = buf;
	ssize_t n;

	while (len) {
		n = read(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int uc_wire_write(int fd, const void *buf, size_t len)
{
	const char *at = buf;
	ssize_t n;

	while (len) {
		n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int uc_wire_send(int fd, const struct uc_lab_msg *msg, const void *payload)
{
	int rc = uc_wire_write(fd, msg, sizeof(*msg));

	return rc || !msg->len ? rc : uc_wire_write(fd, payload, msg->len);
}

int uc_wire_recv(int fd, struct uc_lab_msg *msg, char *payload)
{
	int rc = uc_wire_read(fd, msg, sizeof(*msg));

	if (rc)
		return rc;
	if (msg->len > UC_LAB_PAYLOAD_MAX)
		return -EPROTO;
	rc = uc_wire_read(fd, payload, msg->len);
	payload[rc ? 0 : msg->len] = '\0';
	return rc;
}
