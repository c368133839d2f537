/* SPDX-License-Identifier: MIT */
/*
 * The watcher's thread, on a FIFO guest whose vCPUs do what the test says. No times are asserted
 * but those that a sleep cannot fall short of: the test waits for what must come, with a deadline
 * that only a watcher that never does it misses.
 *
 * What must not come is asserted after a number of looks. They are counted without a race: PROBE
 * may only be at vCPU 3, which is preempted, so each look tries in vain to hand it over, and asks
 * for vCPU 3's run state in the watcher's own thread, when it has looked at vCPUs 0 to 2.
 */
#include "fifo_guest.h"

#include <string.h>
#include <time.h>

#include "vmm/trace.h"
#include "vmm/xen/host_ops.h"

#define EVENT	   0u
#define PROBE	   1u
#define LOOKS	   8u
#define DEADLINE_S 60
#define NAP_NS	   200000

struct spy {
	struct uc_host_ops ops;
	uint64_t looks, moved; /* of the watcher, at its last look */
	uint32_t queued;
	uint32_t exits_move; /* vCPU 1 leaves KVM_RUN between any two looks */
};

static __thread bool is_test;
static struct spy spy;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void nap(long ns)
{
	nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

#define WAIT_FOR(condition)                                                                        \
	do {                                                                                       \
		uint64_t until_ns_ = now_ns() + DEADLINE_S * 1000000000ull;                        \
		while (!(condition)) {                                                             \
			if (now_ns() > until_ns_)                                                  \
				fail_msg("in vain: " #condition);                                  \
			nap(NAP_NS);                                                               \
		}                                                                                  \
	} while (0)

static enum uc_run_state spied_run_state(void *ctx, const struct uc_vcpu *v, uint64_t *since)
{
	struct uc_vm *vm = ctx;

	if (!is_test) {
		if (__atomic_load_n(&spy.exits_move, __ATOMIC_RELAXED))
			__atomic_fetch_add(&vm->vcpus[1].exits, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&spy.moved, vm->watch.moved, __ATOMIC_RELAXED);
		__atomic_store_n(&spy.looks, vm->watch.looks, __ATOMIC_RELEASE);
	}
	return uc_vm_run_state(vm, v, since);
}

static int set_up(void **state)
{
	struct fifo_guest *g;

	fifo_guest_new(state);
	g = *state;
	is_test = true;
	spy = (struct spy){.ops = uc_vm_host_ops};
	spy.ops.run_state = spied_run_state;
	g->vm->host.ops = &spy.ops;
	assert_int_equal(uc_routing_set_policy(g->vm, UC_POLICY_FOLLOW), 0);
	return 0;
}

static void start(struct fifo_guest *g)
{
	struct uc_diag diag = {0};

	assert_int_equal(uc_watch_start(g->vm, &diag), 0);
}

static void stop(struct fifo_guest *g)
{
	uc_vm_stop(g->vm, UC_VM_POWEROFF);
	uc_watch_join(g->vm);
}

/* The event waits at vCPU 1, which runs; the others are outside KVM_RUN. */
static void raise_at_1(struct fifo_guest *g)
{
	for (uint32_t i = 0; i < VCPUS; i++)
		set_outside(g, i);
	set_running(g, 1);
	raise_port(g, EVENT);
	assert_true(waits_at(g, 1));
}

/* A hand-over would move it wherever vCPU 1 is: with `follow` it would choose vCPU 1 again. */
static void make_restless(struct fifo_guest *g)
{
	assert_int_equal(
		uc_port_set_policy(&g->vm->domain, g->ends[EVENT].port, UC_POLICY_ROUND_ROBIN), 0);
}

static void raise_probe(struct fifo_guest *g)
{
	const uint64_t only_3 = 1u << 3;

	assert_int_equal(uc_port_set_affinity(&g->vm->domain, g->ends[PROBE].port, &only_3), 0);
	set_preempted(g, 3, 0);
	raise_port(g, PROBE);
	assert_true(waits_at(g, 3));
}

static uint64_t looks(void)
{
	return __atomic_load_n(&spy.looks, __ATOMIC_ACQUIRE);
}

/* Until something is queued. */
static bool is_asleep(const struct fifo_guest *g)
{
	return __atomic_load_n(&g->vm->watch.asleep, __ATOMIC_SEQ_CST) == 1;
}

static uint64_t handed_over(const struct fifo_guest *g, uint32_t vcpu)
{
	return __atomic_load_n(&g->vm->evtchn_vcpus[vcpu].handed_over, __ATOMIC_RELAXED);
}

/* ---- who is away ---- */

static void from_a_preempted_vcpu_to_a_running_one(void **state)
{
	struct fifo_guest *g = *state;

	start(g);
	WAIT_FOR(is_asleep(g));
	raise_at_1(g);
	set_running(g, 2);
	set_preempted(g, 1, 0);
	WAIT_FOR(handed_over(g, 1));
	stop(g);
	assert_int_equal(g->vm->watch.moved, 1);
	assert_false(waits_at(g, 0) || waits_at(g, 1) || waits_at(g, 3));
	take_at(g, 2);
	assert_int_equal(g->handled, 1);
}

static void a_running_vcpu_keeps_what_waits_there(void **state)
{
	struct fifo_guest *g = *state;

	raise_at_1(g);
	make_restless(g);
	set_running(g, 2);
	raise_probe(g);
	start(g);
	WAIT_FOR(looks() >= LOOKS);
	stop(g);
	assert_int_equal(g->vm->watch.moved, 0);
	assert_true(waits_at(g, 1));
}

static void one_whose_exits_count_moves_keeps_it_too(void **state)
{
	struct fifo_guest *g = *state;

	raise_at_1(g);
	set_outside(g, 1);
	set_running(g, 2);
	raise_probe(g);
	/* The first look has nothing to compare with: it takes what the machine began with, 0. */
	__atomic_store_n(&g->vm->vcpus[1].exits, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&spy.exits_move, 1, __ATOMIC_RELAXED);
	start(g);
	WAIT_FOR(looks() >= LOOKS);
	assert_int_equal(__atomic_load_n(&spy.moved, __ATOMIC_RELAXED), 0);
	assert_true(waits_at(g, 1));
	/* Now it stands still. */
	__atomic_store_n(&spy.exits_move, 0, __ATOMIC_RELAXED);
	WAIT_FOR(handed_over(g, 1));
	stop(g);
	assert_int_equal(g->vm->watch.moved, 1);
	assert_true(waits_at(g, 2));
}

/* In the guest the count stands still too: there the run state tells. */
static void one_that_stays_in_the_guest_is_not_away(void **state)
{
	struct fifo_guest *g = *state;

	raise_at_1(g);
	make_restless(g);
	g->vm->vcpus[1].runstate = NULL; /* the guest has registered none */
	set_running(g, 2);
	raise_probe(g);
	start(g);
	WAIT_FOR(looks() >= LOOKS);
	stop(g);
	assert_int_equal(g->vm->watch.moved, 0);
	assert_true(waits_at(g, 1));
}

/* ---- when it looks ---- */

/* Sleeps for ever from now on: one look is for the end, when it is woken. */
static void assert_sleeps(struct fifo_guest *g, uint64_t looks_before)
{
	WAIT_FOR(is_asleep(g));
	nap(20 * UC_WATCH_PERIOD_MAX_NS);
	assert_true(is_asleep(g));
	stop(g);
	assert_in_range(g->vm->watch.looks, looks_before, looks_before + 1);
	assert_int_equal(g->vm->watch.moved, 0);
}

static void it_sleeps_while_nothing_waits(void **state)
{
	struct fifo_guest *g = *state;

	start(g);
	assert_sleeps(g, 0);
}

static void it_sleeps_once_it_has_seen_that_all_is_taken(void **state)
{
	struct fifo_guest *g = *state;

	raise_at_1(g);
	take_at(g, 1);
	assert_int_equal(g->handled, 1);
	start(g);
	assert_sleeps(g, 1);
}

/* A sleep is never shorter than was asked for, so this holds on any machine. */
static void it_does_not_spin_on_what_waits_in_vain(void **state)
{
	struct fifo_guest *g = *state;
	uint64_t begun_ns = now_ns(), took_ns;

	raise_probe(g);
	start(g);
	WAIT_FOR(looks() >= 3 * LOOKS);
	stop(g);
	took_ns = now_ns() - begun_ns;
	assert_true(g->vm->watch.looks <= took_ns / UC_WATCH_PERIOD_NS);
	/* Nothing new came: it looks less and less often. */
	assert_true(took_ns > LOOKS * UC_WATCH_PERIOD_MAX_NS);
}

/* Raises while it looks, naps and sleeps: one missed would wait for ever. */
static void no_raise_is_forgotten(void **state)
{
	struct fifo_guest *g = *state;

	start(g);
	for (uint32_t round = 1; round <= 300; round++) {
		raise_at_1(g);
		set_running(g, 2);
		set_preempted(g, 1, 0);
		WAIT_FOR(handed_over(g, 1) == round);
		WAIT_FOR(waits_at(g, 2));
		take_at(g, 2);
		assert_int_equal(g->handled, round);
		nap(1 + round * 7919 % (2 * UC_WATCH_PERIOD_NS));
	}
	stop(g);
	assert_int_equal(g->vm->watch.moved, 300);
}

/* ---- what comes just before it says that it sleeps, when nobody knows that it is to be woken ----
 */

static void (*on_asleep)(struct uc_vm *vm);
static struct uc_vm *falls_asleep;

/* The watcher's only: it has said so, and has yet to look whether that is right. */
void __wrap_uc_trace_put(enum uc_trace_kind kind, uint32_t vcpu, uint32_t port, uint32_t tag,
			 uint64_t arg);
void __wrap_uc_trace_put(enum uc_trace_kind kind, uint32_t vcpu, uint32_t port, uint32_t tag,
			 uint64_t arg)
{
	void (*then)(struct uc_vm * vm) = on_asleep;

	(void)vcpu, (void)port, (void)tag, (void)arg;
	if (kind != UC_TRACE_ASLEEP || !then)
		return;
	on_asleep = NULL;
	then(falls_asleep);
}

static void start_and_when_asleep(struct fifo_guest *g, void (*then)(struct uc_vm *vm))
{
	on_asleep = then;
	falls_asleep = g->vm;
	uc_trace_now = (struct uc_trace *)&on_asleep; /* only the real uc_trace_put() looks there */
	start(g);
}

static int tear_down(void **state)
{
	fifo_guest_free(state);
	uc_trace_now = NULL;
	return 0;
}

static void queue_unseen(struct uc_vm *vm)
{
	__atomic_fetch_or(&vm->watch.waiting[0], 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&spy.queued, 1, __ATOMIC_RELEASE);
}

static void what_is_queued_while_it_falls_asleep_is_seen(void **state)
{
	struct fifo_guest *g = *state;

	start_and_when_asleep(g, queue_unseen);
	WAIT_FOR(__atomic_load_n(&spy.queued, __ATOMIC_ACQUIRE));
	WAIT_FOR(!__atomic_load_n(&g->vm->watch.waiting[0], __ATOMIC_SEQ_CST));
	stop(g);
}

static void stop_unseen(struct uc_vm *vm)
{
	uc_vm_stop(vm, UC_VM_POWEROFF);
}

static void an_end_while_it_falls_asleep_is_seen(void **state)
{
	struct fifo_guest *g = *state;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DEADLINE_S;
	start_and_when_asleep(g, stop_unseen);
	assert_int_equal(pthread_timedjoin_np(g->vm->watch.thread, NULL, &until), 0);
	g->vm->watch.started = false;
}

/* ---- for whom it is armed ---- */

static bool is_armed(const struct fifo_guest *g)
{
	return g->vm->watch.waiting[0] | g->vm->watch.waiting[1];
}

static void what_is_pinned_does_not_arm_it(void **state)
{
	struct fifo_guest *g = *state;

	assert_int_equal(uc_routing_set_policy(g->vm, UC_POLICY_PINNED), 0);
	set_preempted(g, 0, 0);
	raise_port(g, EVENT);
	assert_true(waits_at(g, 0));
	assert_false(is_armed(g));
}

static void with_any_other_policy_it_is_armed_for_that_vcpu(void **state)
{
	struct fifo_guest *g = *state;

	for (int policy = UC_POLICY_PINNED + 1; policy < UC_POLICIES; policy++) {
		memset(g->vm->watch.waiting, 0, sizeof(g->vm->watch.waiting));
		assert_int_equal(uc_routing_set_policy(g->vm, (enum uc_policy)policy), 0);
		raise_port(g, EVENT);
		assert_true(is_armed(g));
		for (uint32_t i = 0; i < VCPUS; i++) {
			assert_int_equal(g->vm->watch.waiting[0] >> i & 1, waits_at(g, i));
			take_at(g, i);
		}
	}
	assert_int_equal(g->handled, UC_POLICIES - 1);
}

static void every_vcpu_has_a_bit_of_its_own(void **state)
{
	static struct uc_vm_vcpu as_many_as_may_be[UC_VM_MAX_VCPUS];
	static struct uc_vcpu v;
	struct fifo_guest *g = *state;
	struct uc_vm_vcpu *vcpus = g->vm->vcpus;
	struct uc_watch *w = &g->vm->watch;

	g->vm->vcpus = as_many_as_may_be;
	for (v.id = 0; v.id < UC_VM_MAX_VCPUS; v.id++) {
		memset(w->waiting, 0, sizeof(w->waiting));
		uc_routing_queued(g->vm, &v);
		assert_true(w->waiting[v.id / 64] == 1ull << v.id % 64);
		assert_true(w->waiting[!(v.id / 64)] == 0);
	}
	g->vm->vcpus = vcpus;
}

/* ---- its end (a join that never returns ends by the test's time-out) ---- */

static void *end_at_once(void *arg)
{
	return arg;
}

static void joining_one_that_was_not_started_is_nothing(void **state)
{
	struct fifo_guest *g = *state;
	pthread_t other;

	assert_int_equal(pthread_create(&other, NULL, end_at_once, NULL), 0);
	g->vm->watch.thread = other;
	uc_watch_join(g->vm);
	assert_int_equal(pthread_join(other, NULL), 0); /* it is still to be joined */
	start(g);
	stop(g);
	assert_false(g->vm->watch.started);
	uc_watch_join(g->vm);
}

static void it_ends_while_it_sleeps_and_while_something_waits(void **state)
{
	struct fifo_guest *g = *state;

	start(g);
	WAIT_FOR(is_asleep(g));
	stop(g);
	__atomic_store_n(&g->vm->end, UC_VM_RUNNING, __ATOMIC_RELEASE);
	raise_probe(g);
	start(g);
	WAIT_FOR(looks() >= LOOKS);
	stop(g);
	assert_true(waits_at(g, 3));
}

static void it_ends_while_it_starts(void **state)
{
	struct fifo_guest *g = *state;
	uint64_t until_ns;

	for (uint32_t round = 0; round < 300; round++) {
		__atomic_store_n(&g->vm->end, UC_VM_RUNNING, __ATOMIC_RELEASE);
		start(g);
		until_ns = now_ns() + round * 7919 % 150000;
		while (now_ns() < until_ns)
			;
		stop(g);
	}
	assert_int_equal(g->vm->watch.moved, 0);
}

#define WATCH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCH_TEST(from_a_preempted_vcpu_to_a_running_one),
		WATCH_TEST(a_running_vcpu_keeps_what_waits_there),
		WATCH_TEST(one_whose_exits_count_moves_keeps_it_too),
		WATCH_TEST(one_that_stays_in_the_guest_is_not_away),
		WATCH_TEST(it_sleeps_while_nothing_waits),
		WATCH_TEST(it_sleeps_once_it_has_seen_that_all_is_taken),
		WATCH_TEST(it_does_not_spin_on_what_waits_in_vain),
		WATCH_TEST(no_raise_is_forgotten),
		WATCH_TEST(what_is_queued_while_it_falls_asleep_is_seen),
		WATCH_TEST(what_is_pinned_does_not_arm_it),
		WATCH_TEST(with_any_other_policy_it_is_armed_for_that_vcpu),
		WATCH_TEST(every_vcpu_has_a_bit_of_its_own),
		WATCH_TEST(joining_one_that_was_not_started_is_nothing),
		WATCH_TEST(it_ends_while_it_sleeps_and_while_something_waits),
		WATCH_TEST(an_end_while_it_falls_asleep_is_seen),
		WATCH_TEST(it_ends_while_it_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
