/* SPDX-License-Identifier: MIT */
/* scene_name(): what lies at an address, for explore --trace. */
#include <stdio.h>
#include <string.h>

#include "scene.h"

static char name[64];

/* `address` is in one of the things of this size: its name, and the offset in it. */
static bool is_in(const volatile void *address, const void *things, size_t nr, size_t size,
		  const char *owner, const char *thing)
{
	uintptr_t offset = (uintptr_t)address - (uintptr_t)things;

	if (offset >= nr * size)
		return false;
	snprintf(name, sizeof(name), "%s.%s%zu+%zu", owner, thing, offset / size, offset % size);
	return true;
}

static bool is_of(const volatile void *address, struct machine *m, const char *owner)
{
	for (uint32_t v = 0; v < VCPUS; v++) {
		char queue[16];

		snprintf(queue, sizeof(queue), "vcpu%u.queue", v);
		if (is_in(address, m->vcpus[v].queue, UC_FIFO_QUEUES, sizeof(struct uc_queue),
			  owner, queue))
			return true;
	}
	return is_in(address, m->vcpus, VCPUS, sizeof(struct uc_vcpu), owner, "vcpu") ||
	       is_in(address, m->ports, PORTS, sizeof(struct uc_port), owner, "port") ||
	       is_in(address, &m->d, 1, sizeof(m->d), owner, "domain") ||
	       is_in(address, m, 1, sizeof(*m), owner, "host") ||
	       is_in(address, m->frames, FRAMES, UC_FRAME_SIZE, owner, "frame");
}

const char *scene_name(const volatile void *address)
{
	const struct scene *s = scene_get();
	uint32_t bits, bit = scene_flips_at(address, &bits);

	if (bit != NO_FLIP) {
		snprintf(name, sizeof(name), "%s", scene_flip_name(bit));
		name[strcspn(name, ".")] = 0;
		return name;
	}
	if (is_of(address, s->a, "a") || is_of(address, s->b, "b"))
		return name;
	snprintf(name, sizeof(name), "%p", (const void *)address);
	return name;
}
