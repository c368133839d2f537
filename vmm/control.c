/* SPDX-License-Identifier: MIT */
#include "vmm/control.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 16

int uc_control_open(struct uc_control *c)
{
	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return c->epoll_fd < 0 ? -errno : 0;
}

void uc_control_close(struct uc_control *c)
{
	if (c->epoll_fd >= 0)
		close(c->epoll_fd);
	c->epoll_fd = -1;
}

int uc_control_watch(struct uc_control *c, struct uc_source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};
	int op = !source->events ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;

	if (source->events == events)
		return 0;
	if (epoll_ctl(c->epoll_fd, op, source->fd, &event))
		return -errno;
	source->events = events;
	return 0;
}

int uc_control_step(struct uc_control *c)
{
	struct epoll_event events[BATCH];
	int n = epoll_wait(c->epoll_fd, events, BATCH, -1);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		struct uc_source *source = events[i].data.ptr;

		/* A handler before this one may have switched it off. */
		if (source->events)
			source->ready(source->ctx, events[i].events);
	}
	return 0;
}
