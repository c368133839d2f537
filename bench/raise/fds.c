/* SPDX-License-Identifier: MIT */
/* What eventfd.c and pipe.c share. */
#include <sys/resource.h>
#include <unistd.h>

#include "fds.h"

bool fds_fit(uint32_t descriptors)
{
	struct rlimit limit;
	int next = dup(0);

	must(!getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
	limit.rlim_cur = limit.rlim_max;
	must(!setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
	must(next >= 0 && !close(next), "dup");
	return (uint64_t)next + descriptors + 64 < limit.rlim_max;
}

struct fds *fds_new(const struct shape *shape)
{
	struct fds *f = must_alloc(sizeof(*f));

	f->shape = shape;
	f->port = must_alloc(shape->ports * sizeof(int));
	f->vcpu = must_alloc(shape->vcpus * sizeof(int));
	f->vcpu_in = must_alloc(shape->vcpus * sizeof(int));
	if (shape->count_done)
		f->done = must_alloc(shape->ports * sizeof(*f->done));
	return f;
}

void fds_free(struct fds *f)
{
	must_free(f->port, f->shape->ports * sizeof(int));
	must_free(f->vcpu, f->shape->vcpus * sizeof(int));
	must_free(f->vcpu_in, f->shape->vcpus * sizeof(int));
	if (f->done)
		must_free(f->done, f->shape->ports * sizeof(*f->done));
	must_free(f, sizeof(*f));
}
