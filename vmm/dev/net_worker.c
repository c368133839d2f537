/* SPDX-License-Identifier: MIT */
#include "vmm/dev/net_worker.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/latency.h"

#define EVENTS_MAX (2 * 8 + 1)

/* What an epoll event says: which descriptor of which queue, in one word. */
enum { FROM_TAP = 0, FROM_GUEST = 1, STOP = UINT32_MAX };

static int watch(const struct uc_net_worker *w, int fd, uint32_t events, uint32_t what)
{
	struct epoll_event event = {.events = events, .data.u32 = what};

	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/*
 * Edges, not levels: a queue remembers what is ready until it has seen the end of it (EAGAIN, or
 * its own request for an event), so waiting for the guest's buffers takes no system call.
 */
static int watch_queue(const struct uc_net_worker *w, uint32_t i)
{
	int rc = watch(w, w->queues[i]->config.tap_fd, EPOLLIN | EPOLLET, i << 1 | FROM_TAP);

	return rc ? rc : watch(w, w->queues[i]->kick_fd, EPOLLIN | EPOLLET, i << 1 | FROM_GUEST);
}

static void note(struct uc_net_worker *w, uint32_t what)
{
	struct uc_net_queue *q = w->queues[what >> 1];

	if ((what & 1) == FROM_TAP)
		q->tap_ready = true;
	else
		q->kicked = true;
}

static bool run_queue(struct uc_net_worker *w, struct uc_net_queue *q)
{
	bool was_broken = q->broken, more = uc_net_queue_run(q);

	if (q->broken && !was_broken)
		w->on_broken(w->ctx, q);
	return more;
}

static void *run(void *arg)
{
	struct uc_net_worker *w = arg;
	struct epoll_event events[EVENTS_MAX];
	bool more = true;

	uc_thread_slice(0, UC_SLICE_SHORT_NS);
	for (;;) {
		int n = epoll_wait(w->epoll_fd, events, EVENTS_MAX, more ? 0 : -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.u32 == STOP)
				return NULL;
			note(w, events[i].data.u32);
		}
		more = false;
		for (uint32_t i = 0; i < w->nr_queues; i++)
			more |= run_queue(w, w->queues[i]);
	}
}

/* Signals are for the control thread and, by their own mask, for vCPUs. */
static int start_thread(struct uc_net_worker *w)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!rc)
		pthread_setname_np(w->thread, "net");
	return -rc;
}

int uc_net_worker_start(struct uc_net_worker *w)
{
	int rc = 0;

	w->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->stop_fd < 0 || w->epoll_fd < 0)
		rc = -errno;
	if (!rc)
		rc = watch(w, w->stop_fd, EPOLLIN, STOP);
	for (uint32_t i = 0; i < w->nr_queues && !rc; i++)
		rc = watch_queue(w, i);
	if (!rc)
		rc = start_thread(w);
	if (rc) {
		close(w->stop_fd);
		close(w->epoll_fd);
	}
	return rc;
}

void uc_net_worker_stop(struct uc_net_worker *w)
{
	uint64_t one = 1;

	(void)!write(w->stop_fd, &one, sizeof(one));
	pthread_join(w->thread, NULL);
	close(w->stop_fd);
	close(w->epoll_fd);
}
