/* SPDX-License-Identifier: MIT */
/* An eventfd for each port, an epoll for each vCPU. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fds.h"
#include "loops.h"

static void *eventfd_create(const struct shape *shape)
{
	struct fds *f;

	if (!fds_fit(shape->ports + shape->vcpus))
		return NULL;
	f = fds_new(shape);
	for (uint32_t v = 0; v < shape->vcpus; v++)
		must((f->vcpu[v] = epoll_create1(EPOLL_CLOEXEC)) >= 0, "epoll_create1");
	for (uint32_t i = 0; i < shape->ports; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};

		must((f->port[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) >= 0, "eventfd");
		must(!epoll_ctl(f->vcpu[vcpu_of(shape, i)], EPOLL_CTL_ADD, f->port[i], &e),
		     "epoll_ctl");
	}
	return f;
}

static void eventfd_destroy(void *world)
{
	struct fds *f = world;

	for (uint32_t i = 0; i < f->shape->ports; i++)
		close(f->port[i]);
	for (uint32_t v = 0; v < f->shape->vcpus; v++)
		close(f->vcpu[v]);
	fds_free(f);
}

static inline void eventfd_raise(void *world, uint32_t index)
{
	uint64_t one = 1;

	must(write(((struct fds *)world)->port[index], &one, sizeof(one)) == sizeof(one),
	     "write to an eventfd");
}

static uint32_t eventfd_consume(void *world, uint32_t vcpu)
{
	struct fds *f = world;
	struct epoll_event ready[BATCH];
	uint32_t handled = 0;
	uint64_t count;
	int n;

	do {
		n = epoll_wait(f->vcpu[vcpu], ready, BATCH, 0);
		for (int i = 0; i < n; i++) {
			uint32_t index = ready[i].data.u32;

			if (read(f->port[index], &count, sizeof(count)) != sizeof(count))
				continue;
			fds_handle(f, index);
			handled++;
		}
	} while (n == BATCH);
	return handled;
}

static const struct target target = {
	.raise = eventfd_raise,
	.consume = eventfd_consume,
	.done = fds_done,
};

DEFINE_LOOPS(target)
DEFINE_PENDING_LOOPS(target)

const struct contender contender_eventfd = {
	.name = "eventfd",
	.title = "eventfd and epoll",
	.create = eventfd_create,
	.destroy = eventfd_destroy,
	.run = {RUN_LOOPS, RUN_PENDING_LOOPS},
};
