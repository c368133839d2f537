/* SPDX-License-Identifier: MIT */
/* libupcall by uc_send() of an IPI. */
#include "loops.h"
#include "upcall.h"

static inline void raise_event(void *world, uint32_t index)
{
	struct upcall_world *w = world;

	uc_send(&w->d, w->guest.first + index);
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

static void *create_ipi(const struct shape *shape)
{
	return upcall_create(shape, &(struct upcall_options){.fifo = true, .kind = UC_PORT_IPI});
}

const struct contender contender_ipi = {
	.name = "ipi",
	.title = "libupcall: FIFO, uc_send() of an IPI",
	.create = create_ipi,
	.destroy = upcall_destroy,
	.run = {RUN_LOOPS, RUN_PENDING_LOOPS, RUN_MASK_LOOPS},
};
