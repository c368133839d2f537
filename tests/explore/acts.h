/* SPDX-License-Identifier: MIT */
/*
 * Set-ups and actors that several scenarios share. Each library call here has its bound of guest
 * words (bounds.h).
 */
#ifndef TESTS_EXPLORE_ACTS_H
#define TESTS_EXPLORE_ACTS_H

#include "bounds.h"
#include "scene.h"

/* `call` is one call of the library. */
#define BOUNDED(words, call)                                                                       \
	do {                                                                                       \
		engine_bound(words);                                                               \
		call;                                                                              \
		engine_bound(0);                                                                   \
	} while (0)

/* ---- set-ups of machine a: three lines, bound to vCPU 0 ---- */

void with_lines(struct scene *s); /* after the ABI */
void with_2l(struct scene *s);
void with_fifo(struct scene *s);
/* Raised and handled: vCPU 0's queue has a tail, consumed. */
void with_settled(struct scene *s);
/* IPIs are ports 1 to VCPUS; the policy is "follow", vCPU 0 runs; settled. */
void with_follow(struct scene *s);
/* Lines 0 and 1 wait at vCPU 0, which is preempted; vCPU 1 runs. */
void with_waiting(struct scene *s);
void only_runs(struct scene *s, uint32_t who);
/* Machine b is FIFO and has a line of its own. */
void with_victim(struct scene *s);

/* ---- handlers: on_handle of a machine ---- */

void clears(struct machine *m, uint32_t vcpu, uint32_t port);
/* As xen_lateeoi_chip: masked while handled; unmasked by the guest, or by its hypercall. */
void masks_and_unmasks(struct machine *m, uint32_t vcpu, uint32_t port);

/* ---- actors ---- */

void vcpu(struct scene *s, uint32_t v); /* of a: an interrupt per kick, for ever */
void vcpu_of_b(struct scene *s, uint32_t v);
void raises(struct scene *s, uint32_t line);
void raises_twice(struct scene *s, uint32_t line);
void raises_in_order(struct scene *s, uint32_t none); /* lines 0, 1, 2 */
void raises_victim(struct scene *s, uint32_t none);
void hands_over(struct scene *s, uint32_t v);
/* A vCPU that is up and takes what it finds, however odd: for hostile scenarios. */
void takes_anything(struct scene *s, uint32_t v);

#endif
