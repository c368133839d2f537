/* SPDX-License-Identifier: MIT */
/* libupcall by uc_endpoint_raise(), what a device back end calls: FIFO pinned, FIFO with the policy
 * that looks who runs, and 2-level. */
#include "loops.h"
#include "upcall.h"

static inline void raise_event(void *world, uint32_t index)
{
	uc_endpoint_raise(&((struct upcall_world *)world)->senders[index].endpoint);
}

static const struct target target = {
	.raise = raise_event,
	.mask = guest_mask,
	.unmask = guest_unmask,
	.consume = guest_consume_here,
	.done = guest_done,
};

DEFINE_LOOPS(target)
DEFINE_PENDING_LOOPS(target)
DEFINE_MASK_LOOPS(target)

static void *create_pinned(const struct shape *shape)
{
	return upcall_create(shape, &(struct upcall_options){.fifo = true, .kind = UC_PORT_HOST});
}

const struct contender contender_upcall = {
	.name = "upcall",
	.title = "libupcall: FIFO, uc_endpoint_raise()",
	.create = create_pinned,
	.destroy = upcall_destroy,
	.run = {RUN_LOOPS, RUN_PENDING_LOOPS, RUN_MASK_LOOPS},
};

/* With one vCPU: else the policy, not the loop, says where an event is to be consumed. */
static void *create_follow(const struct shape *shape)
{
	if (shape->vcpus > 1)
		return NULL;
	return upcall_create(shape, &(struct upcall_options){
					    .fifo = true, .follow = true, .kind = UC_PORT_HOST});
}

const struct contender contender_follow = {
	.name = "follow",
	.title = "the same with policy follow",
	.create = create_follow,
	.destroy = upcall_destroy,
	.run = {RUN_LOOPS, RUN_PENDING_LOOPS, RUN_MASK_LOOPS},
};

static void *create_2l(const struct shape *shape)
{
	return upcall_create(shape, &(struct upcall_options){.kind = UC_PORT_HOST});
}

const struct contender contender_2l = {
	.name = "2-level",
	.title = "the same in the 2-level ABI",
	.create = create_2l,
	.destroy = upcall_destroy,
	.run = {RUN_LOOPS, RUN_PENDING_LOOPS, RUN_MASK_LOOPS},
};
