/* SPDX-License-Identifier: MIT */
/* libupcall by uc_send() of a channel between two domains: EVTCHNOP_send. */
#include "loops.h"
#include "upcall.h"

static inline void raise_event(void *world, uint32_t index)
{
	struct upcall_world *w = world;

	uc_send(&w->peer, w->senders[index].port);
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

static void *create_channel(const struct shape *shape)
{
	return upcall_create(shape,
			     &(struct upcall_options){.fifo = true, .kind = UC_PORT_INTERDOMAIN});
}

const struct contender contender_send = {
	.name = "send",
	.title = "libupcall: FIFO, uc_send() to another domain",
	.create = create_channel,
	.destroy = upcall_destroy,
	.run = {RUN_LOOPS, RUN_PENDING_LOOPS, RUN_MASK_LOOPS},
};
