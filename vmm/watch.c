/* SPDX-License-Identifier: MIT */
/* The watcher's thread: see routing.h. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vmm/latency.h"
#include "vmm/routing.h"
#include "vmm/trace.h"
#include "vmm/vm.h"

#define DONE_AFTER 2 /* times what is owed: the event, and what is owed again with the answer */

/* What the watcher waits for. */
enum {
	AWAKE,
	ASLEEP, /* anything */
	DOZING, /* something urgent, or the period's end */
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool ended(const struct uc_vm *vm)
{
	return __atomic_load_n(&vm->end, __ATOMIC_ACQUIRE) != UC_VM_RUNNING;
}

static bool any_waiting(const struct uc_watch *w)
{
	return __atomic_load_n(&w->waiting[0], __ATOMIC_SEQ_CST) |
	       __atomic_load_n(&w->waiting[1], __ATOMIC_SEQ_CST);
}

static void wake(struct uc_watch *w)
{
	__atomic_store_n(&w->asleep, AWAKE, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &w->asleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

bool uc_watch_is_at_work(const struct uc_vm *vm, uint32_t id)
{
	return (__atomic_load_n(&vm->watch.got[id / 64], __ATOMIC_RELAXED) >> (id % 64) & 1) ||
	       uc_boost_is_owed(vm, id);
}

/* Look at once. */
static void hurry(struct uc_vm *vm)
{
	__atomic_store_n(&vm->watch.urgent, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&vm->watch.asleep, __ATOMIC_SEQ_CST))
		wake(&vm->watch);
}

/* Set already: the watcher has yet to clear it and to look, after what was queued. */
static void note(uint64_t *words, uint32_t id)
{
	uint64_t bit = 1ull << (id % 64);

	if (!(__atomic_load_n(&words[id / 64], __ATOMIC_SEQ_CST) & bit))
		__atomic_fetch_or(&words[id / 64], bit, __ATOMIC_SEQ_CST);
}

static void add(struct uc_watch *w, uint32_t id)
{
	note(w->waiting, id);
	__atomic_store_n(&w->fresh, 1, __ATOMIC_RELAXED);
}

void uc_watch_calmly(struct uc_vm *vm, uint32_t id)
{
	struct uc_watch *w = &vm->watch;

	add(w, id);
	/* Pairs with sleep_until_queued(): it says that it sleeps, then looks. */
	if (__atomic_load_n(&w->asleep, __ATOMIC_SEQ_CST) == ASLEEP)
		wake(w);
}

static void queued(struct uc_vm *vm, uint32_t id, bool urgent)
{
	__atomic_store_n(&vm->watch.got_ns[id], clock_ns(CLOCK_MONOTONIC), __ATOMIC_RELAXED);
	note(vm->watch.got, id); /* before `waiting`, which the watcher takes first */
	if (!urgent) {
		uc_watch_calmly(vm, id);
		return;
	}
	add(&vm->watch, id);
	hurry(vm);
}

void uc_watch_queued(struct uc_vm *vm, uint32_t id, bool urgent)
{
	uint64_t *heirs = &vm->watch.heirs[id / 64], bit = 1ull << (id % 64);

	if (__atomic_load_n(heirs, __ATOMIC_RELAXED) & bit)
		__atomic_fetch_and(heirs, ~bit, __ATOMIC_RELAXED);
	queued(vm, id, urgent);
}

void uc_watch_inherited(struct uc_vm *vm, uint32_t id, bool urgent)
{
	if (!uc_watch_is_at_work(vm, id))
		note(vm->watch.heirs, id);
	queued(vm, id, urgent);
}

bool uc_watch_may_pass_on(const struct uc_vm *vm, uint32_t id)
{
	return uc_watch_is_at_work(vm, id) &&
	       !(__atomic_load_n(&vm->watch.heirs[id / 64], __ATOMIC_RELAXED) >> (id % 64) & 1);
}

static void sleep_until_queued(struct uc_vm *vm)
{
	struct uc_watch *w = &vm->watch;

	__atomic_store_n(&w->asleep, ASLEEP, __ATOMIC_SEQ_CST);
	uc_trace(UC_TRACE_ASLEEP, 0, 0, 0);
	if (!any_waiting(w) && !ended(vm))
		syscall(SYS_futex, &w->asleep, FUTEX_WAIT_PRIVATE, ASLEEP, NULL, NULL, 0);
	__atomic_store_n(&w->asleep, AWAKE, __ATOMIC_SEQ_CST);
	uc_trace(UC_TRACE_AWAKE, 0, 0, 0);
}

static void doze(struct uc_watch *w, uint32_t period_ns)
{
	const struct timespec period = {.tv_nsec = period_ns};

	__atomic_store_n(&w->asleep, DOZING, __ATOMIC_SEQ_CST);
	if (!__atomic_exchange_n(&w->urgent, 0, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &w->asleep, FUTEX_WAIT_PRIVATE, DOZING, &period, NULL, 0);
	__atomic_store_n(&w->asleep, AWAKE, __ATOMIC_SEQ_CST);
	__atomic_store_n(&w->urgent, 0, __ATOMIC_SEQ_CST);
}

static void sleep_until(uint64_t when_ns)
{
	const struct timespec when = {(time_t)(when_ns / 1000000000u),
				      (long)(when_ns % 1000000000u)};

	while (clock_ns(CLOCK_MONOTONIC) < when_ns)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
}

static uint32_t hand_over(struct uc_vcpu *v)
{
	uint32_t moved = uc_vcpu_handover(v);

	if (moved)
		uc_trace(UC_TRACE_HANDOVER, v->id, 0, moved);
	return moved;
}

/*
 * Preempted in the guest, or away from it for a whole period: then it has lost its CPU in the VMM,
 * which KVM does not tell.
 */
static bool is_away(struct uc_vm *vm, uint32_t id)
{
	uint64_t since;
	uint32_t exits = __atomic_load_n(&vm->vcpus[id].exits, __ATOMIC_RELAXED);
	bool stuck = exits == vm->watch.exits[id];

	vm->watch.exits[id] = exits;
	switch (uc_vm_run_state(vm, &vm->evtchn_vcpus[id], &since)) {
	case UC_VCPU_PREEMPTED:
		return true;
	case UC_VCPU_BLOCKED:
		return stuck;
	default:
		return false;
	}
}

/* Someone could take at once what is handed over. */
static bool any_runs(struct uc_vm *vm)
{
	uint64_t since;

	for (uint32_t id = 0; id < vm->nr_vcpus; id++)
		if (uc_vcpu_is_live(&vm->evtchn_vcpus[id]) &&
		    uc_vm_run_state(vm, &vm->evtchn_vcpus[id], &since) == UC_VCPU_RUNNING)
			return true;
	return false;
}

/* True while the vCPU has something that could move, or is owed CPU time. */
static bool look_at(struct uc_vm *vm, uint32_t id)
{
	struct uc_vcpu *v = &vm->evtchn_vcpus[id];
	uint32_t moved = 0;

	if (!uc_vcpu_movable(v))
		uc_trace(UC_TRACE_TAKEN, id, 0, 0);
	else if (is_away(vm, id) && (any_runs(vm) || !uc_boost_may(vm, id)))
		moved = hand_over(v);
	__atomic_store_n(&vm->watch.moved, vm->watch.moved + moved, __ATOMIC_RELAXED);
	if (uc_vcpu_movable(v))
		uc_trace(UC_TRACE_WAITING, id, 0, uc_vcpu_movable(v));
	else if (moved)
		uc_boost_forgive(vm, id);
	return uc_boost_look(vm, id, uc_vcpu_movable(v)) || uc_vcpu_movable(v);
}

/* Most are: it runs, and has most likely run since it got the event, for as long as was owed. */
static bool is_done(struct uc_vm *vm, uint32_t id)
{
	struct uc_vcpu *v = &vm->evtchn_vcpus[id];
	uint64_t got_ns = __atomic_load_n(&vm->watch.got_ns[id], __ATOMIC_RELAXED), since;

	return !uc_vcpu_movable(v) && !uc_boost_is_owed(vm, id) &&
	       uc_vm_run_state(vm, v, &since) == UC_VCPU_RUNNING &&
	       clock_ns(CLOCK_MONOTONIC) - got_ns >= DONE_AFTER * vm->watch.boost.length_ns;
}

static void look(struct uc_vm *vm)
{
	struct uc_watch *w = &vm->watch;

	__atomic_store_n(&w->looks, w->looks + 1, __ATOMIC_RELAXED);
	uc_trace_look(&vm->domain);
	for (uint32_t id = 0; id < vm->nr_vcpus; id++) {
		uint64_t bit = 1ull << (id % 64);

		if (!(__atomic_load_n(&w->waiting[id / 64], __ATOMIC_SEQ_CST) & bit))
			continue;
		/* Cleared first: what is queued after the look sets it again. */
		__atomic_fetch_and(&w->waiting[id / 64], ~bit, __ATOMIC_SEQ_CST);
		if ((__atomic_fetch_and(&w->got[id / 64], ~bit, __ATOMIC_SEQ_CST) & bit) &&
		    uc_boost_is_on(vm) && !is_done(vm, id))
			uc_boost_owe(vm, id);
		if (look_at(vm, id))
			__atomic_fetch_or(&w->waiting[id / 64], bit, __ATOMIC_SEQ_CST);
	}
}

/* Something new is looked after soon; what has waited in vain so far is less and less pressing. */
static uint32_t next_period_ns(struct uc_watch *w, uint32_t period_ns)
{
	if (__atomic_exchange_n(&w->fresh, 0, __ATOMIC_RELAXED))
		period_ns = UC_WATCH_PERIOD_NS;
	else
		period_ns = period_ns < UC_WATCH_PERIOD_MAX_NS ? 2 * period_ns
							       : UC_WATCH_PERIOD_MAX_NS;
	return w->boost.boosted && period_ns > w->boost.length_ns ? (uint32_t)w->boost.length_ns
								  : period_ns;
}

/* When the next look may be: urgent or not, what the watcher takes of a CPU is bounded. */
static uint64_t timed_look(struct uc_vm *vm)
{
	uint64_t took_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	look(vm);
	took_ns = UC_WATCH_REST * (clock_ns(CLOCK_THREAD_CPUTIME_ID) - took_ns);
	return clock_ns(CLOCK_MONOTONIC) +
	       (took_ns > UC_WATCH_LEAST_NS ? took_ns : UC_WATCH_LEAST_NS);
}

static void *thread_main(void *arg)
{
	uint32_t period_ns = UC_WATCH_PERIOD_NS;
	uint64_t next_ns = 0;
	struct uc_vm *vm = arg;

	uc_thread_slice(0, UC_SLICE_SHORT_NS);
	uc_boost_begin(vm);
	while (!ended(vm)) {
		if (!any_waiting(&vm->watch))
			sleep_until_queued(vm);
		period_ns = next_period_ns(&vm->watch, period_ns);
		doze(&vm->watch, period_ns);
		sleep_until(next_ns);
		next_ns = timed_look(vm);
	}
	uc_boost_end(vm);
	return NULL;
}

int uc_watch_start(struct uc_vm *vm, struct uc_diag *diag)
{
	int rc;

	vm->watch.boost.length_ns = vm->config->routing.boost_us * 1000ull;
	rc = pthread_create(&vm->watch.thread, NULL, thread_main, vm);
	if (rc)
		return uc_fail(diag, UC_EXIT_INTERNAL, rc, "cannot start the watcher's thread: %s",
			       strerror(rc));
	pthread_setname_np(vm->watch.thread, "watch");
	vm->watch.started = true;
	return 0;
}

void uc_watch_join(struct uc_vm *vm)
{
	if (!vm->watch.started)
		return;
	wake(&vm->watch);
	pthread_join(vm->watch.thread, NULL);
	vm->watch.started = false;
}
