/* SPDX-License-Identifier: MIT */
/* See guest.h. */
#include "guest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/explore/access.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

#define ARMED_MAX 4u
#define FIRST_ID  1u

struct guest guests[DOMAINS];

/* Arrays of their own: the sanitizer watches their ends. */
static struct uc_domain domains[DOMAINS];
static struct uc_vcpu vcpus_a[VCPUS], vcpus_b[VCPUS];
static struct uc_port ports_a[PORTS], ports_b[PORTS];
static struct uc_pirq pirqs_a[PIRQS], pirqs_b[PIRQS];
static uint64_t affinity_a[PORTS + 2], affinity_b[PORTS + 2];
static uint8_t frames[DOMAINS][FRAMES][2][UC_FRAME_SIZE] __attribute__((aligned(UC_FRAME_SIZE)));
static struct uc_domain *by_id[FIRST_ID + DOMAINS];
static struct uc_host host;

static uint32_t touched;
static struct {
	uint32_t after;
	uint8_t bit;
	bool is_set;
} armed[ARMED_MAX];

void guest_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "fuzz: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	abort();
}

/* ---- accesses ---- */

static void flip_if_armed(uint8_t *word)
{
	for (uint32_t i = 0; i < ARMED_MAX; i++) {
		if (!armed[i].is_set)
			continue;
		if (armed[i].after--)
			continue;
		armed[i].is_set = false;
		word[armed[i].bit / 8] ^= (uint8_t)(1u << (armed[i].bit % 8));
	}
}

void explore_access(const volatile void *address, int write)
{
	uintptr_t offset = (uintptr_t)address - (uintptr_t)frames;

	(void)write;
	if (offset >= sizeof(frames))
		return;
	touched++;
	flip_if_armed((uint8_t *)frames + (offset & ~3ul));
}

void explore_pause(void)
{
	guest_fail("the only thread waits for a lock");
}

uint32_t guest_touched(void)
{
	uint32_t n = touched;

	touched = 0;
	return n;
}

void guest_arm(uint8_t after, uint8_t bit)
{
	for (uint32_t i = 0; i < ARMED_MAX; i++) {
		if (armed[i].is_set)
			continue;
		armed[i].after = after % 24;
		armed[i].bit = bit % 32;
		armed[i].is_set = true;
		return;
	}
}

void guest_disarm(void)
{
	memset(armed, 0, sizeof(armed));
}

/* ---- the host ---- */

static struct guest *guest_of(const struct uc_domain *d)
{
	return &guests[d - domains];
}

void *guest_frame(struct guest *g, uint32_t gfn)
{
	return frames[g - guests][gfn][0];
}

static void *map_frame(void *ctx, struct uc_domain *d, uint64_t gfn)
{
	(void)ctx;
	if (gfn >= FRAMES)
		return NULL;
	guest_of(d)->maps[gfn]++;
	return guest_frame(guest_of(d), (uint32_t)gfn);
}

static void unmap_frame(void *ctx, struct uc_domain *d, void *frame)
{
	struct guest *g = guest_of(d);
	size_t offset = (size_t)((uint8_t *)frame - (uint8_t *)guest_frame(g, 0));
	uint32_t gfn = (uint32_t)(offset / (2 * UC_FRAME_SIZE));

	(void)ctx;
	if (gfn >= FRAMES || offset % (2 * UC_FRAME_SIZE) || !g->maps[gfn])
		guest_fail("a frame is given back that was not mapped");
	g->maps[gfn]--;
}

static void kick(void *ctx, struct uc_vcpu *v)
{
	(void)ctx, (void)v;
}

static enum uc_run_state run_state(void *ctx, const struct uc_vcpu *v, uint64_t *since)
{
	(void)ctx;
	*since = v->id;
	return guest_of(v->domain)->state[v->id];
}

static const struct uc_host_ops ops = {
	.map_frame = map_frame,
	.unmap_frame = unmap_frame,
	.kick = kick,
	.wake = kick,
	.queued = kick,
	.run_state = run_state,
};

/* ---- life ---- */

static void hear(struct uc_endpoint *e)
{
	(void)e;
}

static void begin_one(uint32_t i, struct uc_vcpu *vcpus, struct uc_port *ports, uint64_t *affinity,
		      struct uc_pirq *pirqs)
{
	struct uc_domain_config config = {.host = &host,
					  .id = (uint16_t)(FIRST_ID + i),
					  .vcpus = vcpus,
					  .nr_vcpus = VCPUS,
					  .ports = ports,
					  .nr_ports = PORTS,
					  .affinity = affinity,
					  .pirqs = pirqs,
					  .nr_pirqs = PIRQS};
	struct guest *g = &guests[i];

	memset(vcpus, 0, VCPUS * sizeof(*vcpus));
	memset(ports, 0, PORTS * sizeof(*ports));
	memset(affinity, 0, (PORTS + 2) * sizeof(*affinity));
	memset(pirqs, 0, PIRQS * sizeof(*pirqs));
	for (uint32_t p = 1; p < PIRQS; p++)
		pirqs[p].trigger = p % 2 ? UC_PIRQ_LEVEL : UC_PIRQ_EDGE;
	*g = (struct guest){.d = &domains[i], .vcpus = vcpus};
	for (uint32_t e = 0; e < ENDPOINTS; e++)
		g->endpoint[e].notify = hear;
	for (uint32_t gfn = 0; gfn < FRAMES; gfn++)
		memset(frames[i][gfn][0], 0, UC_FRAME_SIZE);
	if (uc_domain_init(g->d, &config))
		guest_fail("no domain");
}

/* Behind each frame lies a page that nobody may touch. */
static void poison(void)
{
	static bool done;

	for (uint32_t i = 0; !done && i < DOMAINS * FRAMES; i++)
		ASAN_POISON_MEMORY_REGION(frames[i / FRAMES][i % FRAMES][1], UC_FRAME_SIZE);
	done = true;
}

void guest_begin(void)
{
	poison();
	memset(domains, 0, sizeof(domains));
	memset(by_id, 0, sizeof(by_id));
	host = (struct uc_host){.ops = &ops, .domains = by_id, .nr_domains = FIRST_ID + DOMAINS};
	begin_one(0, vcpus_a, ports_a, affinity_a, pirqs_a);
	begin_one(1, vcpus_b, ports_b, affinity_b, pirqs_b);
	guest_disarm();
	touched = 0;
}

void guest_end(void)
{
	guest_disarm();
	for (uint32_t i = 0; i < DOMAINS; i++)
		for (uint32_t e = 0; e < ENDPOINTS; e++)
			uc_endpoint_close(&guests[i].endpoint[e]);
	for (uint32_t i = 0; i < DOMAINS; i++) {
		uc_domain_destroy(guests[i].d);
		for (uint32_t gfn = 0; gfn < FRAMES; gfn++)
			if (guests[i].maps[gfn])
				guest_fail("frame %u stays mapped", gfn);
	}
}

uint8_t *guest_word(struct guest *g, uint8_t kind, uint8_t index, uint32_t *bits)
{
	struct uc_shared_info *s = guest_frame(g, FRAME_SHARED);
	uint8_t *blocks = guest_frame(g, FRAME_BLOCKS);
	struct uc_fifo_control_block *block = (void *)(blocks + index % VCPUS * 128);

	*bits = 32;
	switch (kind % 8) {
	case 0:
	case 1:
	case 2:
		return (uint8_t *)guest_frame(g, FRAME_EVENTS) + index % PORTS * 4;
	case 3:
		return (uint8_t *)&block->ready;
	case 4:
		return (uint8_t *)&block->head[index / VCPUS % UC_FIFO_QUEUES];
	case 5:
		return (uint8_t *)&s->vcpu_info[index % VCPUS];
	case 6:
		return (uint8_t *)&s->pending[index % 2];
	default:
		return (uint8_t *)&s->mask[index % 2];
	}
}
