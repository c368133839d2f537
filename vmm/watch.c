/* SPDX-License-Identifier: MIT */
/* The watcher's thread: see routing.h. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vmm/routing.h"
#include "vmm/trace.h"
#include "vmm/vm.h"

/* Looks without anything outstanding before it goes to sleep: a stream of events keeps it awake. */
#define IDLE_LOOKS 20

static bool ended(const struct uc_vm *vm)
{
	return __atomic_load_n(&vm->end, __ATOMIC_ACQUIRE) != UC_VM_RUNNING;
}

static bool any_kicked(const struct uc_watch *w)
{
	return __atomic_load_n(&w->kicked[0], __ATOMIC_SEQ_CST) |
	       __atomic_load_n(&w->kicked[1], __ATOMIC_SEQ_CST);
}

static void wake(struct uc_watch *w)
{
	__atomic_store_n(&w->asleep, 0, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &w->asleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void uc_watch_kicked(struct uc_vm *vm, uint32_t id)
{
	struct uc_watch *w = &vm->watch;
	uint64_t bit = 1ull << (id % 64);

	if (!(__atomic_load_n(&w->kicked[id / 64], __ATOMIC_RELAXED) & bit))
		__atomic_fetch_or(&w->kicked[id / 64], bit, __ATOMIC_SEQ_CST);
	/* Pairs with sleep_until_kicked(): it says that it sleeps, then looks for kicks. */
	if (__atomic_load_n(&w->asleep, __ATOMIC_SEQ_CST))
		wake(w);
}

static void sleep_until_kicked(struct uc_vm *vm)
{
	struct uc_watch *w = &vm->watch;

	__atomic_store_n(&w->asleep, 1, __ATOMIC_SEQ_CST);
	uc_trace(UC_TRACE_ASLEEP, 0, 0, 0);
	if (!any_kicked(w) && !ended(vm))
		syscall(SYS_futex, &w->asleep, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
	__atomic_store_n(&w->asleep, 0, __ATOMIC_SEQ_CST);
	uc_trace(UC_TRACE_AWAKE, 0, 0, 0);
}

static uint32_t hand_over(struct uc_vcpu *v)
{
	uint32_t moved = uc_vcpu_handover(v);

	if (moved)
		uc_trace(UC_TRACE_HANDOVER, v->id, 0, moved);
	return moved;
}

/* True while the vCPU has something that it has not taken. */
static bool look_at(struct uc_vm *vm, uint32_t id)
{
	struct uc_vcpu *v = &vm->evtchn_vcpus[id];
	uint64_t since;

	if (!uc_vcpu_untaken(v)) {
		uc_trace(UC_TRACE_TAKEN, id, 0, 0);
		return false;
	}
	if (uc_vm_run_state(vm, v, &since) == UC_VCPU_PREEMPTED)
		vm->watch.moved += hand_over(v);
	if (!uc_vcpu_untaken(v))
		return false;
	uc_trace(UC_TRACE_WAITING, id, 0, uc_vcpu_untaken(v));
	return true;
}

static void look(struct uc_vm *vm)
{
	struct uc_watch *w = &vm->watch;

	w->looks++;
	uc_trace_look(&vm->domain);
	for (uint32_t id = 0; id < vm->nr_vcpus; id++) {
		uint64_t bit = 1ull << (id % 64);

		if (!(__atomic_load_n(&w->kicked[id / 64], __ATOMIC_SEQ_CST) & bit))
			continue;
		/* Cleared first: a kick that comes after the look sets it again. */
		__atomic_fetch_and(&w->kicked[id / 64], ~bit, __ATOMIC_SEQ_CST);
		if (look_at(vm, id))
			__atomic_fetch_or(&w->kicked[id / 64], bit, __ATOMIC_SEQ_CST);
	}
}

static void *thread_main(void *arg)
{
	const struct timespec period = {.tv_nsec = UC_WATCH_PERIOD_NS};
	struct uc_vm *vm = arg;
	uint32_t idle = 0;

	while (!ended(vm)) {
		idle = any_kicked(&vm->watch) ? 0 : idle + 1;
		if (idle > IDLE_LOOKS) {
			sleep_until_kicked(vm);
			idle = 0;
		}
		clock_nanosleep(CLOCK_MONOTONIC, 0, &period, NULL);
		look(vm);
	}
	return NULL;
}

int uc_watch_start(struct uc_vm *vm, struct uc_diag *diag)
{
	int rc = pthread_create(&vm->watch.thread, NULL, thread_main, vm);

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
