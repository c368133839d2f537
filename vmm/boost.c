/* SPDX-License-Identifier: MIT */
#include "vmm/boost.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "vmm/latency.h"
#include "vmm/trace.h"
#include "vmm/vm.h"

_Static_assert(UC_BOOST_VCPUS >= UC_VM_MAX_VCPUS, "a debt for each");

/* Below everything else that is real-time on the host; the watcher must be able to end it. */
#define VCPU_PRIORITY	 1
#define WATCHER_PRIORITY 2

/* A debt that was not paid in so many of its lengths is void: the vCPU sleeps. */
#define VOID_AFTER 4
/* What the budget can save, in lengths. */
#define SAVED_MAX 8

static const char *const when_names[UC_BOOST_WHENS] = {
	[UC_BOOST_FOLLOW] = "follow",
	[UC_BOOST_NEVER] = "never",
	[UC_BOOST_ALWAYS] = "always",
};

const char *uc_boost_when_name(enum uc_boost_when when)
{
	return when_names[when];
}

int uc_boost_when_parse(const char *name, enum uc_boost_when *when)
{
	for (int i = 0; i < UC_BOOST_WHENS; i++) {
		if (!strcmp(name, when_names[i])) {
			*when = (enum uc_boost_when)i;
			return 0;
		}
	}
	return -EINVAL;
}

bool uc_boost_is_on(const struct uc_vm *vm)
{
	const struct uc_boost *b = &vm->watch.boost;

	if (!__atomic_load_n(&b->may, __ATOMIC_RELAXED))
		return false;
	switch ((enum uc_boost_when)__atomic_load_n(&b->when, __ATOMIC_RELAXED)) {
	case UC_BOOST_FOLLOW:
		return __atomic_load_n(&vm->domain.policy, __ATOMIC_RELAXED) == UC_POLICY_FOLLOW;
	case UC_BOOST_ALWAYS:
		return true;
	default:
		return false;
	}
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t = {0};

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* CPU time of a vCPU's thread, by the host's account: the guest cannot write there. */
static uint64_t ran_ns(const struct uc_vm_vcpu *v)
{
	clockid_t clock;

	return v->started && !pthread_getcpuclockid(v->thread, &clock) ? clock_ns(clock) : 0;
}

void uc_boost_begin(struct uc_vm *vm)
{
	struct uc_boost *b = &vm->watch.boost;

	b->refilled_ns = clock_ns(CLOCK_MONOTONIC);
	__atomic_store_n(&b->may, b->length_ns && uc_thread_real_time(0, WATCHER_PRIORITY),
			 __ATOMIC_RELAXED);
}

void uc_boost_owe(struct uc_vm *vm, uint32_t id)
{
	struct uc_debt *debt = &vm->watch.boost.debts[id];
	uint64_t ran = ran_ns(&vm->vcpus[id]);

	__atomic_store_n(&debt->answered, false, __ATOMIC_RELAXED);
	debt->prolonged = false;
	debt->begun = debt->owed && (debt->begun || ran != debt->ran_ns);
	__atomic_store_n(&debt->owed, true, __ATOMIC_RELAXED);
	debt->owed_ns = clock_ns(CLOCK_MONOTONIC);
	debt->ran_ns = debt->seen_ns = ran;
}

void uc_boost_answered(struct uc_vm *vm, uint32_t id)
{
	__atomic_store_n(&vm->watch.boost.debts[id].answered, true, __ATOMIC_RELAXED);
}

bool uc_boost_is_owed(const struct uc_vm *vm, uint32_t id)
{
	return __atomic_load_n(&vm->watch.boost.debts[id].owed, __ATOMIC_RELAXED);
}

void uc_boost_forgive(struct uc_vm *vm, uint32_t id)
{
	struct uc_debt *debt = &vm->watch.boost.debts[id];

	if (!debt->boosted && !debt->begun && ran_ns(&vm->vcpus[id]) == debt->ran_ns)
		__atomic_store_n(&debt->owed, false, __ATOMIC_RELAXED);
}

/* What a boost may take at most is paid when it begins, and what it did not take comes back. */
static int64_t longest_ns(const struct uc_boost *b)
{
	return (int64_t)(2 * b->length_ns);
}

static void refill(struct uc_vm *vm, struct uc_boost *b, uint64_t now_ns)
{
	int64_t most_ns = (int64_t)(SAVED_MAX * b->length_ns * vm->nr_vcpus);

	b->budget_ns += (int64_t)((now_ns - b->refilled_ns) * vm->nr_vcpus / UC_BOOST_SHARE);
	b->refilled_ns = now_ns;
	if (b->budget_ns > most_ns)
		b->budget_ns = most_ns;
}

bool uc_boost_may(struct uc_vm *vm, uint32_t id)
{
	struct uc_boost *b = &vm->watch.boost;

	refill(vm, b, clock_ns(CLOCK_MONOTONIC));
	return b->debts[id].boosted || (b->debts[id].owed && b->budget_ns >= longest_ns(b));
}

static void boost(struct uc_vm *vm, uint32_t id, uint64_t now_ns)
{
	struct uc_boost *b = &vm->watch.boost;
	struct uc_debt *debt = &b->debts[id];

	refill(vm, b, now_ns);
	if (b->budget_ns < longest_ns(b) ||
	    !uc_thread_real_time(__atomic_load_n(&vm->vcpus[id].tid, __ATOMIC_ACQUIRE),
				 VCPU_PRIORITY))
		return;
	__atomic_store_n(&debt->boosted, true, __ATOMIC_RELAXED);
	debt->boosted_ns = now_ns;
	b->budget_ns -= longest_ns(b);
	__atomic_store_n(&b->count, b->count + 1, __ATOMIC_RELAXED);
	b->boosted++;
	uc_trace(UC_TRACE_BOOST, id, 0, ran_ns(&vm->vcpus[id]) - debt->ran_ns);
}

static void stop(struct uc_vm *vm, uint32_t id, uint64_t now_ns)
{
	struct uc_boost *b = &vm->watch.boost;
	struct uc_debt *debt = &b->debts[id];
	uint64_t took_ns = now_ns - debt->boosted_ns;

	uc_thread_fair(__atomic_load_n(&vm->vcpus[id].tid, __ATOMIC_ACQUIRE), VCPU_PRIORITY);
	uc_routing_set_slice(&vm->vcpus[id]);
	__atomic_store_n(&debt->boosted, false, __ATOMIC_RELAXED);
	__atomic_store_n(&debt->owed, false, __ATOMIC_RELAXED);
	b->budget_ns += longest_ns(b) - (int64_t)took_ns; /* below zero when a look came late */
	__atomic_store_n(&b->total_ns, b->total_ns + took_ns, __ATOMIC_RELAXED);
	b->boosted--;
	uc_trace(UC_TRACE_BOOST_END, id, 0, took_ns);
}

/*
 * KVM says so of a vCPU in the guest, but not of one that woke from a halt: that one has not taken
 * what it got. In the VMM it must be running; it does not sleep there.
 */
static bool waits_for_cpu(struct uc_vm *vm, uint32_t id, bool untaken, uint64_t ran)
{
	bool stuck = ran == vm->watch.boost.debts[id].seen_ns;
	uint64_t since;

	switch (uc_vm_run_state(vm, &vm->evtchn_vcpus[id], &since)) {
	case UC_VCPU_PREEMPTED:
		return true;
	case UC_VCPU_BLOCKED:
		return stuck;
	default:
		return stuck && untaken;
	}
}

bool uc_boost_look(struct uc_vm *vm, uint32_t id, bool untaken)
{
	struct uc_boost *b = &vm->watch.boost;
	struct uc_debt *debt = &b->debts[id];
	uint64_t now_ns, since_ns, seen, ran;
	bool paid;

	if (!debt->owed)
		return false;
	now_ns = clock_ns(CLOCK_MONOTONIC);
	since_ns = now_ns - (debt->boosted ? debt->boosted_ns : debt->owed_ns);
	seen = ran_ns(&vm->vcpus[id]);
	if (!debt->prolonged && __atomic_load_n(&debt->answered, __ATOMIC_RELAXED)) {
		debt->prolonged = true;
		debt->ran_ns = seen;
	}
	ran = seen - debt->ran_ns;
	paid = !untaken && ran >= b->length_ns;
	if (debt->boosted) {
		if (paid || since_ns >= (uint64_t)longest_ns(b))
			stop(vm, id, now_ns);
	} else if (paid || (!untaken && since_ns >= VOID_AFTER * b->length_ns)) {
		__atomic_store_n(&debt->owed, false, __ATOMIC_RELAXED);
	} else if (waits_for_cpu(vm, id, untaken, seen)) {
		boost(vm, id, now_ns);
	}
	debt->seen_ns = seen;
	return debt->owed;
}

void uc_boost_end(struct uc_vm *vm)
{
	for (uint32_t id = 0; id < vm->nr_vcpus; id++)
		if (vm->watch.boost.debts[id].boosted)
			stop(vm, id, clock_ns(CLOCK_MONOTONIC));
}
