/* SPDX-License-Identifier: MIT */
/*
 * The control thread's loop: epoll over descriptors, each with its handler. Not thread-safe; only
 * uc_vm_stop() reaches in from outside, through an eventfd.
 */
#ifndef UPCALL_VMM_CONTROL_H
#define UPCALL_VMM_CONTROL_H

#include <stdint.h>

/* One waited-for descriptor; owned by whoever added it. */
struct uc_source {
	int fd;
	void (*ready)(void *ctx, uint32_t events);
	void *ctx;
	uint32_t events; /* the loop's: what is waited for now */
};

struct uc_control {
	int epoll_fd;
};

int uc_control_open(struct uc_control *c);
void uc_control_close(struct uc_control *c);

/* Wait for `events` (EPOLLIN, EPOLLOUT; 0 = not now) on the source. -errno. */
int uc_control_watch(struct uc_control *c, struct uc_source *source, uint32_t events);

/* Wait once and call the handlers of what is ready. -errno. */
int uc_control_step(struct uc_control *c);

#endif
