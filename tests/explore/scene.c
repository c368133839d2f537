/* SPDX-License-Identifier: MIT */
/* See scene.h. */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flips.h"
#include "records.h"
#include "truth.h"

#define SAVED_PORTS 48u
#define REGIONS	    40u
#define LIVES	    2u /* before a reset, and after */

static struct scene scene;

static struct {
	void *address;
	size_t size;
	void *copy;
} regions[REGIONS];
static uint32_t nr_regions;

struct scene *scene_get(void)
{
	return &scene;
}

static void save(void *address, size_t size)
{
	void *copy = malloc(size);

	if (!copy || nr_regions == REGIONS)
		abort();
	memcpy(copy, address, size);
	regions[nr_regions].address = address;
	regions[nr_regions].size = size;
	regions[nr_regions++].copy = copy;
}

/* All of a machine that a scenario changes: few ports, the first event words. */
static void save_machine(struct machine *m)
{
	save(m, offsetof(struct machine, log));
	save(&m->nr_log, sizeof(*m) - offsetof(struct machine, nr_log));
	save(m->ports, SAVED_PORTS * sizeof(*m->ports));
	save(shared_of(m)->vcpu_info, VCPUS * sizeof(struct uc_vcpu_info));
	save(shared_of(m)->pending, sizeof(uint64_t));
	save(shared_of(m)->mask, sizeof(uint64_t));
	save(frame_of(m, FRAME_INFO), sizeof(struct uc_vcpu_info));
	for (uint32_t v = 0; v < VCPUS; v++)
		save(frame_of(m, FRAME_CONTROL + v), LIVES * 128);
	for (uint32_t life = 0; life < LIVES; life++)
		save(frame_of(m, FRAME_EVENTS + life * PAGES_OF_LIFE),
		     SAVED_PORTS * sizeof(uc_g32));
	if (m->affinity) {
		save(m->affinity, SAVED_PORTS * sizeof(*m->affinity));
		save(m->d.default_affinity, sizeof(*m->d.default_affinity));
	}
}

void scene_restore(void)
{
	for (uint32_t i = 0; i < nr_regions; i++)
		memcpy(regions[i].address, regions[i].copy, regions[i].size);
}

/* What the set-up raised and ran is over; what waits at its end is the schedule's. */
static void begin_counting(struct machine *m, uint32_t *taken)
{
	for (uint32_t v = 0; v < VCPUS; v++)
		taken[v] = m->kicks[v] - (m->gv[v].info && m->gv[v].info->upcall_pending.raw);
	for (uint32_t port = 1; port < uc_ports_valid(&m->d); port++) {
		struct uc_port_info info;

		if (!uc_port_info(&m->d, port, &info))
			m->ports[port].events = info.pending, m->ports[port].linked = 0;
	}
	m->nr_log = 0;
}

static void wait_with_the_others(void)
{
}

void scene_create(const struct scenario *scenario)
{
	struct scene *s = &scene;

	*s = (struct scene){.w = world_create()};
	s->a = s->w->a;
	s->b = s->w->b;
	s->w->strict = true;
	s->w->on_relax = wait_with_the_others;
	scenario->setup(s);
	begin_counting(s->a, s->taken[0]);
	begin_counting(s->b, s->taken[1]);
	flips_list(s);
	save(s, sizeof(*s));
	save(s->w, sizeof(*s->w));
	save_machine(s->a);
	save_machine(s->b);
}

void scene_destroy(void)
{
	scene_restore();
	world_destroy(scene.w);
	while (nr_regions)
		free(regions[--nr_regions].copy);
}

static bool is_frame_of(const struct machine *m, const volatile void *address)
{
	uintptr_t offset = (uintptr_t)address - (uintptr_t)m->frames;

	return offset < (uintptr_t)FRAMES * UC_FRAME_SIZE;
}

bool scene_is_guest_word(const volatile void *address)
{
	return is_frame_of(scene.a, address) || is_frame_of(scene.b, address);
}

static bool is_queue_lock(const struct machine *m, const volatile void *address)
{
	for (uint32_t v = 0; v < VCPUS; v++) {
		uintptr_t offset = (uintptr_t)address - (uintptr_t)m->vcpus[v].queue;

		if (offset < sizeof(m->vcpus[v].queue))
			return offset % sizeof(struct uc_queue) == offsetof(struct uc_queue, lock);
	}
	return false;
}

static bool is_lock_of(const struct machine *m, const volatile void *address)
{
	uintptr_t offset = (uintptr_t)address - (uintptr_t)m->ports;

	if (offset < SAVED_PORTS * sizeof(*m->ports))
		return offset % sizeof(*m->ports) == offsetof(struct uc_port, lock);
	offset = (uintptr_t)address - (uintptr_t)m->pirqs;
	if (offset < sizeof(m->pirqs))
		return offset % sizeof(*m->pirqs) == offsetof(struct uc_pirq, lock);
	return address == &m->d.lock || is_queue_lock(m, address);
}

bool scene_is_lock(const volatile void *address)
{
	return is_lock_of(scene.a, address) || is_lock_of(scene.b, address);
}

void scene_check(const struct scenario *scenario)
{
	struct scene *s = &scene;

	truth_records(s);
	if (!scenario->is_hostile)
		truth_honest(s, s->a, s->taken[0]);
	truth_honest(s, s->b, s->taken[1]);
	if (s->victim)
		assert_true(times_handled(s->b, s->victim) > 0);
	if (scenario->check)
		scenario->check(s);
	if (scenario->is_hostile)
		truth_repair(s);
}
