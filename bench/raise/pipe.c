/* SPDX-License-Identifier: MIT */
/* A pipe for each vCPU; an event is a port number in it, so nothing is coalesced. */
#include <fcntl.h>
#include <unistd.h>

#include "fds.h"
#include "loops.h"

static void *pipe_create(const struct shape *shape)
{
	struct fds *f;
	int ends[2];

	if (!fds_fit(2 * shape->vcpus))
		return NULL;
	f = fds_new(shape);
	for (uint32_t v = 0; v < shape->vcpus; v++) {
		must(!pipe2(ends, O_CLOEXEC | O_NONBLOCK), "pipe2");
		f->vcpu[v] = ends[0];
		f->vcpu_in[v] = ends[1];
	}
	return f;
}

static void pipe_destroy(void *world)
{
	struct fds *f = world;

	for (uint32_t v = 0; v < f->shape->vcpus; v++) {
		close(f->vcpu[v]);
		close(f->vcpu_in[v]);
	}
	fds_free(f);
}

static inline void pipe_raise(void *world, uint32_t index)
{
	struct fds *f = world;

	must(write(f->vcpu_in[vcpu_of(f->shape, index)], &index, sizeof(index)) == sizeof(index),
	     "write to a pipe");
}

static uint32_t pipe_consume(void *world, uint32_t vcpu)
{
	struct fds *f = world;
	uint32_t index[BATCH], handled = 0;
	ssize_t got;

	do {
		got = read(f->vcpu[vcpu], index, sizeof(index));
		for (ssize_t i = 0; i < got / (ssize_t)sizeof(index[0]); i++, handled++)
			fds_handle(f, index[i]);
	} while (got == sizeof(index));
	return handled;
}

static const struct target target = {
	.raise = pipe_raise,
	.consume = pipe_consume,
	.done = fds_done,
};

DEFINE_LOOPS(target)

const struct contender contender_pipe = {
	.name = "pipe",
	.title = "a pipe",
	.create = pipe_create,
	.destroy = pipe_destroy,
	.run = {RUN_LOOPS},
};
