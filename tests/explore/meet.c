/* SPDX-License-Identifier: MIT */
/* See meet.h: a hash table, by address. */
#include "meet.h"

#include <stddef.h>
#include <string.h>

#include "scene.h"

#define PLACES 16384u /* a power of two, and several times what a scenario touches */
#define LOCKS  64u    /* a bit each; further ones guard nothing */

static struct place {
	const volatile void *address;
	uint64_t guards;	   /* locks that all held who came here */
	uint64_t bit;		   /* of a lock: its own */
	uint8_t visitors, writers; /* a bit per actor */
	bool is_met, is_lock;
} places[PLACES];

static uint64_t held[ACTORS]; /* by each actor, now */
static uint32_t nr_locks;
static bool learned;

static struct place *find(const volatile void *address)
{
	uint32_t at = (uint32_t)(((uintptr_t)address >> 2) * 2654435761u) >> 8;

	for (;; at++) {
		struct place *p = &places[at % PLACES];

		if (!p->address) {
			p->address = address;
			p->guards = ~0ull;
			p->is_lock = scene_is_lock(address);
			if (p->is_lock && nr_locks < LOCKS)
				p->bit = 1ull << nr_locks++;
		}
		if (p->address == address)
			return p;
	}
}

static bool visit(struct place *p, uint32_t actor, bool write)
{
	uint8_t me = (uint8_t)(1u << actor);

	p->visitors |= me;
	if (write)
		p->writers |= me;
	p->guards &= held[actor];
	if (!p->is_met && !p->guards && p->writers && (p->visitors & (p->visitors - 1))) {
		p->is_met = true;
		learned = true;
	}
	return p->is_met;
}

/* `write`: taking it, or giving it back. */
static bool gives_back(const struct place *p, uint32_t actor, bool write)
{
	return write && (held[actor] & p->bit);
}

bool meet_here(const volatile void *address, uint32_t actor, bool write)
{
	struct place *p = find(address);

	return p->is_lock && gives_back(p, actor, write) ? false : visit(p, actor, write);
}

void meet_goes_on(const volatile void *address, uint32_t actor, bool write)
{
	struct place *p = find(address);

	if (!p->is_lock || !write)
		return;
	if (gives_back(p, actor, write))
		held[actor] &= ~p->bit;
	else if (!*(const volatile uint32_t *)address)
		held[actor] |= p->bit;
}

void meet_begin(void)
{
	memset(held, 0, sizeof(held));
}

bool meet_has_learned(void)
{
	bool was = learned;

	learned = false;
	return was;
}

void meet_forget(void)
{
	memset(places, 0, sizeof(places));
	nr_locks = 0;
	learned = false;
}
