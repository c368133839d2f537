/* SPDX-License-Identifier: MIT */
/*
 * The world of the op fuzzer: two domains in static memory, whose frames lie between poisoned ones,
 * and a host that counts what it maps. Every guest word that the library touches is counted, and
 * may change under its hands (guest_arm()).
 */
#ifndef FUZZ_GUEST_H
#define FUZZ_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <upcall/evtchn.h>

#define DOMAINS	     2u
#define VCPUS	     3u
#define PORTS	     64u
#define FRAMES	     8u
#define ENDPOINTS    4u
#define PIRQS	     4u /* 0 is not the guest's, odd ones are levels */
#define FRAME_SHARED 0u
#define FRAME_INFO   1u
#define FRAME_BLOCKS 2u /* every vCPU's control block, 128 bytes apart */
#define FRAME_EVENTS 3u

struct guest {
	struct uc_domain *d;
	struct uc_vcpu *vcpus;
	struct uc_endpoint endpoint[ENDPOINTS];
	enum uc_run_state state[VCPUS];
	bool polls[VCPUS];
	uint32_t maps[FRAMES];
};

extern struct guest guests[DOMAINS];

/* A new world: nothing mapped, no port open. */
void guest_begin(void);
/* Everything is closed and given back; aborts when it is not. */
void guest_end(void);

void *guest_frame(struct guest *g, uint32_t gfn);
/* The word that `kind` and `index` stand for, whatever they are, and its bits. */
uint8_t *guest_word(struct guest *g, uint8_t kind, uint8_t index, uint32_t *bits);

/* Guest words touched since the last call of this. */
uint32_t guest_touched(void);
/* Of the next `after` + 1 accesses to guest words, the last finds `bit` of its word flipped. */
void guest_arm(uint8_t after, uint8_t bit);
void guest_disarm(void);

_Noreturn void guest_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
