/* SPDX-License-Identifier: MIT */
/*
 * A thread that runs queues of a network card. Today one for all of a card's queues; giving each
 * its own is a matter of how many workers vmm/dev/net.c starts. Started and stopped by the control
 * thread.
 */
#ifndef UPCALL_VMM_DEV_NET_WORKER_H
#define UPCALL_VMM_DEV_NET_WORKER_H

#include <pthread.h>

#include "vmm/dev/net_queue.h"

struct uc_net_worker {
	struct uc_net_queue **queues;
	uint32_t nr_queues;
	int epoll_fd, stop_fd;
	pthread_t thread;
	/* Told once per queue that the guest broke; from the worker's thread. */
	void (*on_broken)(void *ctx, const struct uc_net_queue *q);
	void *ctx;
};

/* `queues`, `nr_queues`, `on_broken` and `ctx` are set; `queues` must stay. -errno. */
int uc_net_worker_start(struct uc_net_worker *w);
/* On return nothing is running any more. */
void uc_net_worker_stop(struct uc_net_worker *w);

#endif
