/* SPDX-License-Identifier: MIT */
/*
 * A FIFO guest on a machine without KVM (fake_kvm.h), for tests of where events go: every vCPU is
 * live, each has a run state area, and two ports belong to the OS. What a vCPU is doing is said
 * here; nothing runs by itself.
 */
#ifndef TESTS_VMM_FIFO_GUEST_H
#define TESTS_VMM_FIFO_GUEST_H

#include "fake_kvm.h"

#include <upcall/guest.h>

#define PORTS 2u

struct fifo_guest {
	struct machine *m;
	struct uc_vm *vm; /* m's */
	struct uc_endpoint ends[PORTS];
	struct uc_guest guest;
	struct uc_guest_vcpu vcpus[VCPUS];
	uint32_t handled; /* events that the guest took */
	void *cookie;
};

/* cmocka's set-up and tear-down. The policy is `pinned`; every vCPU is outside KVM_RUN. */
int fifo_guest_new(void **state);
/* Ends the watcher too, should it still run. */
int fifo_guest_free(void **state);

void set_outside(struct fifo_guest *g, uint32_t vcpu);
void set_running(struct fifo_guest *g, uint32_t vcpu);
void set_preempted(struct fifo_guest *g, uint32_t vcpu, uint64_t since);
/* What KVM keeps for the vCPU. */
struct vcpu_runstate_info *area_of(struct fifo_guest *g, uint32_t vcpu);

void raise_port(struct fifo_guest *g, uint32_t n);
/* Something of the OS waits at `vcpu`. */
bool waits_at(const struct fifo_guest *g, uint32_t vcpu);
/* The guest's upcall handler runs there. */
void take_at(struct fifo_guest *g, uint32_t vcpu);

#define GUEST_TEST(name) cmocka_unit_test_setup_teardown(name, fifo_guest_new, fifo_guest_free)

#endif
