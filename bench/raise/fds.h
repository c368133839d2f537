/* SPDX-License-Identifier: MIT */
/*
 * What a Linux process has for this: an eventfd for each port and an epoll for each vCPU
 * (eventfd.c); a pipe for each vCPU that carries port numbers (pipe.c). Both are polled, never
 * slept on, as the others are: a sleep and its wake-up would cost microseconds more.
 */
#ifndef BENCH_RAISE_FDS_H
#define BENCH_RAISE_FDS_H

#include "bench.h"

#define BATCH 64

struct fds {
	int *port;    /* eventfd: by index */
	int *vcpu;    /* eventfd: epoll; pipe: the end that is read */
	int *vcpu_in; /* pipe: the other end */
	uint32_t *done;
	const struct shape *shape;
};

/* May this process have so many more descriptors? */
bool fds_fit(uint32_t descriptors);
struct fds *fds_new(const struct shape *shape);
void fds_free(struct fds *f);

static inline uint32_t *fds_done(void *world)
{
	return ((struct fds *)world)->done;
}

static inline void fds_handle(struct fds *f, uint32_t index)
{
	if (f->done)
		__atomic_store_n(&f->done[index], f->done[index] + 1, __ATOMIC_RELEASE);
}

#endif
