/* SPDX-License-Identifier: MIT */
/* See flips.h. */
#include "flips.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scene.h"

#define WORDS	  48u
#define MAX_PORTS 8u
#define VCPUS_HIT 2u

static struct word {
	char name[16];
	uint8_t *address;
	uint32_t bits;
} words[WORDS];
static uint32_t nr_words;

static void add(void *address, uint32_t bits, const char *name, uint32_t a, uint32_t b)
{
	struct word *w = &words[nr_words++];

	if (nr_words > WORDS)
		abort();
	w->address = address;
	w->bits = bits;
	snprintf(w->name, sizeof(w->name), name, a, b);
}

static void add_control(struct machine *m, uint32_t v)
{
	static const uint32_t priorities[] = {3, UC_FIFO_PRIORITY_DEFAULT};

	add(&control_of(m, v)->ready, UC_FIFO_QUEUES, "ready%u", v, 0);
	for (uint32_t i = 0; i < 2; i++)
		add(&control_of(m, v)->head[priorities[i]], 32, "head%u/%u", v, priorities[i]);
}

void flips_list(struct scene *s)
{
	struct machine *m = s->a;
	uint32_t ports = uc_ports_valid(&m->d);

	nr_words = 0;
	for (uint32_t port = 0; port < ports && port < MAX_PORTS; port++)
		add(word_of(m, port), 32, "word%u", port, 0);
	for (uint32_t v = 0; v < VCPUS_HIT; v++) {
		add_control(m, v);
		add(&shared_of(m)->vcpu_info[v].upcall_pending, 8, "upcall%u", v, 0);
		add(&shared_of(m)->vcpu_info[v].pending_sel, 8, "selector%u", v, 0);
	}
	add(&shared_of(m)->pending[0], 8, "pending", 0, 0);
	add(&shared_of(m)->mask[0], 8, "mask", 0, 0);
}

uint32_t scene_flips(void)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < nr_words; i++)
		bits += words[i].bits;
	return bits;
}

uint32_t scene_flips_at(const volatile void *address, uint32_t *bits)
{
	uint32_t first = 0;

	for (uint32_t i = 0; i < nr_words; i++) {
		*bits = words[i].bits;
		if (words[i].address == address)
			return first;
		first += words[i].bits;
	}
	return NO_FLIP;
}

static const struct word *word_with(uint32_t *bit)
{
	const struct word *w = words;

	for (; *bit >= w->bits; w++)
		*bit -= w->bits;
	return w;
}

/* Bit by byte: then a word's size does not matter. */
void *scene_flip(uint32_t bit)
{
	const struct word *w = word_with(&bit);

	w->address[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	return w->address;
}

const char *scene_flip_name(uint32_t bit)
{
	static char name[32];
	const struct word *w = word_with(&bit);

	snprintf(name, sizeof(name), "%s.%u", w->name, bit);
	return name;
}

uint32_t scene_flip_by_name(const char *name)
{
	for (uint32_t bit = 0; bit < scene_flips(); bit++)
		if (!strcmp(scene_flip_name(bit), name))
			return bit;
	return NO_FLIP;
}
