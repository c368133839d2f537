/* SPDX-License-Identifier: MIT */
/*
 * vCPUs that the watcher boosts. It does all by itself here, and in its own time: what must come is
 * waited for, what must not is asserted after a number of looks that found something to do.
 *
 * The event may only be at vCPU 1 unless a test says otherwise, and the guest does not take it. Who
 * is made real-time, and when that is taken back, is noted where it happens, in the watcher's
 * thread.
 */
#include "fifo_guest.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "real_time.h"
#include "vcpu_thread.h"
#include "vmm/boost.h"
#include "vmm/latency.h"
#include "vmm/xen/host_ops.h"

#define EVENT	   0u
#define WHO	   1u
#define LENGTH_US  5000u
#define LENGTH_NS  (LENGTH_US * 1000ull)
#define SAVINGS_NS (1000 * LENGTH_NS) /* more than it keeps */
#define LOOKS	   50u
#define DEADLINE_S 60
#define NAP_NS	   200000

struct spy {
	struct uc_host_ops ops;
	struct fifo_guest *g;
	uint32_t boosts[VCPUS], ends[VCPUS]; /* of their threads */
	uint32_t asked;			     /* for a run state, by the watcher */
	uint32_t stop_when_boosted, boosted_before_it_moved;
};

static __thread bool is_test;
static struct spy spy;
static struct vcpu_thread threads[VCPUS];

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#define WAIT_FOR(condition)                                                                        \
	do {                                                                                       \
		uint64_t until_ns_ = now_ns() + DEADLINE_S * 1000000000ull;                        \
		while (!(condition)) {                                                             \
			if (now_ns() > until_ns_)                                                  \
				fail_msg("in vain: " #condition);                                  \
			nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);                    \
		}                                                                                  \
	} while (0)

static uint32_t load(const uint32_t *what)
{
	return __atomic_load_n(what, __ATOMIC_SEQ_CST);
}

static void add(uint32_t *what)
{
	__atomic_fetch_add(what, 1, __ATOMIC_SEQ_CST);
}

/* ---- in the watcher's thread ---- */

static uint32_t whose(pid_t tid)
{
	uint32_t id = 0;

	while (id < VCPUS && (!tid || spy.g->vm->vcpus[id].tid != tid))
		id++;
	return id;
}

bool __real_uc_thread_real_time(pid_t tid, int priority);
bool __wrap_uc_thread_real_time(pid_t tid, int priority);
bool __wrap_uc_thread_real_time(pid_t tid, int priority)
{
	bool done = __real_uc_thread_real_time(tid, priority);
	uint32_t id = whose(tid);

	if (!done || id == VCPUS)
		return done;
	if (thread_attr(tid).policy == SCHED_FIFO)
		add(&spy.boosts[id]);
	if (load(&spy.stop_when_boosted))
		uc_vm_stop(spy.g->vm, UC_VM_POWEROFF);
	return done;
}

void __real_uc_thread_fair(pid_t tid, int priority);
void __wrap_uc_thread_fair(pid_t tid, int priority);
void __wrap_uc_thread_fair(pid_t tid, int priority)
{
	uint32_t id = whose(tid);

	__real_uc_thread_fair(tid, priority);
	if (id < VCPUS && thread_attr(tid).policy == SCHED_OTHER)
		add(&spy.ends[id]);
}

static enum uc_run_state spied_run_state(void *ctx, const struct uc_vcpu *v, uint64_t *since)
{
	if (!is_test)
		add(&spy.asked);
	return uc_vm_run_state(ctx, v, since);
}

/* ---- the machine ---- */

static int set_up(void **state)
{
	const uint64_t only_1 = 1u << WHO;
	struct fifo_guest *g;

	fifo_guest_new(state);
	g = *state;
	is_test = true;
	spy = (struct spy){.ops = uc_vm_host_ops, .g = g};
	spy.ops.run_state = spied_run_state;
	g->vm->host.ops = &spy.ops;
	g->m->config.routing.boost_us = LENGTH_US;
	assert_int_equal(uc_routing_set_policy(g->vm, UC_POLICY_FOLLOW), 0);
	assert_int_equal(uc_port_set_affinity(&g->vm->domain, g->ends[EVENT].port, &only_1), 0);
	for (uint32_t i = 0; i < VCPUS; i++) {
		vcpu_thread_start(&threads[i], &g->vm->vcpus[i], NULL);
		set_preempted(g, i, 0);
	}
	return 0;
}

static int tear_down(void **state)
{
	struct fifo_guest *g = *state;

	allow_real_time(true);
	uc_vm_stop(g->vm, UC_VM_POWEROFF);
	uc_watch_join(g->vm);
	for (uint32_t i = 0; i < VCPUS; i++)
		vcpu_thread_end(&threads[i]);
	return fifo_guest_free(state);
}

static bool is_asleep(const struct fifo_guest *g)
{
	return load(&g->vm->watch.asleep) == 1;
}

/* It has all its savings, and has begun. */
static void start(struct fifo_guest *g)
{
	struct uc_diag diag = {0};

	g->vm->watch.boost.budget_ns = SAVINGS_NS;
	assert_int_equal(uc_watch_start(g->vm, &diag), 0);
	WAIT_FOR(is_asleep(g));
}

static void stop(struct fifo_guest *g)
{
	uc_vm_stop(g->vm, UC_VM_POWEROFF);
	uc_watch_join(g->vm);
}

static bool all_are_fair(void)
{
	for (uint32_t i = 0; i < VCPUS; i++)
		if (vcpu_thread_attr(&threads[i]).policy != SCHED_OTHER)
			return false;
	return true;
}

static uint32_t boosts(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < VCPUS; i++)
		n += load(&spy.boosts[i]);
	return n;
}

/* ---- */

static void who_gets_an_event_and_no_cpu_is_boosted(void **state)
{
	struct fifo_guest *g = *state;

	need_real_time();
	start(g);
	raise_port(g, EVENT);
	WAIT_FOR(load(&spy.boosts[WHO]));
	WAIT_FOR(load(&spy.ends[WHO]));
	assert_true(waits_at(g, WHO));
	stop(g);
	assert_true(all_are_fair());
	assert_int_equal(boosts(), 1);
	assert_int_equal(g->vm->watch.boost.count, 1);
	assert_int_equal(g->vm->watch.boost.boosted, 0);
	assert_true(g->vm->watch.boost.total_ns > 0);
}

/* Each raise is a debt of its own, and each boost comes to its end. */
static void boosts_follow_each_other(void **state)
{
	struct fifo_guest *g = *state;

	need_real_time();
	start(g);
	for (uint32_t round = 1; round <= 5; round++) {
		raise_port(g, EVENT);
		WAIT_FOR(load(&spy.ends[WHO]) == round);
		take_at(g, WHO);
		assert_int_equal(g->handled, round);
		WAIT_FOR(is_asleep(g));
	}
	stop(g);
	assert_int_equal(g->vm->watch.boost.count, 5);
	assert_true(all_are_fair());
}

/* It has taken the event, so nothing waits there any more; then it lost its CPU in the handler. */
static void who_is_at_work_is_boosted_and_looked_after(void **state)
{
	struct fifo_guest *g = *state;

	need_real_time();
	raise_port(g, EVENT);
	take_at(g, WHO);
	assert_false(waits_at(g, WHO));
	g->vm->watch.boost.budget_ns = SAVINGS_NS;
	assert_int_equal(uc_watch_start(g->vm, &(struct uc_diag){0}), 0);
	WAIT_FOR(load(&spy.ends[WHO]));
	WAIT_FOR(is_asleep(g)); /* for nothing is owed any more */
	stop(g);
	assert_int_equal(boosts(), 1);
	assert_true(all_are_fair());
}

/* It got its event so long ago, and has taken it. */
static void start_after(struct fifo_guest *g, uint64_t ago_ns)
{
	raise_port(g, EVENT);
	take_at(g, WHO);
	g->vm->watch.got_ns[WHO] = now_ns() - ago_ns;
	g->vm->watch.boost.budget_ns = SAVINGS_NS;
	assert_int_equal(uc_watch_start(g->vm, &(struct uc_diag){0}), 0);
}

static void who_has_run_since_is_owed_nothing(void **state)
{
	struct fifo_guest *g = *state;

	need_real_time();
	set_running(g, WHO);
	start_after(g, 2 * LENGTH_NS);
	WAIT_FOR(__atomic_load_n(&g->vm->watch.looks, __ATOMIC_SEQ_CST) && is_asleep(g));
	assert_int_equal(__atomic_load_n(&g->vm->watch.looks, __ATOMIC_RELAXED), 1);
	stop(g);
	assert_int_equal(g->vm->watch.boost.debts[WHO].owed_ns, 0);
}

/* However late the first look is: what is owed takes a minute. */
static void who_runs_is_owed_what_it_got_lately(void **state)
{
	struct fifo_guest *g = *state;

	need_real_time();
	g->m->config.routing.boost_us = DEADLINE_S * 1000000u;
	set_running(g, WHO);
	start_after(g, 0);
	WAIT_FOR(uc_boost_is_owed(g->vm, WHO));
}

static void who_has_lost_its_cpu_is_owed_however_late_it_is(void **state)
{
	struct fifo_guest *g = *state;

	need_real_time();
	start_after(g, 100 * LENGTH_NS);
	WAIT_FOR(load(&spy.boosts[WHO]));
}

static void who_has_not_taken_it_is_owed_although_it_runs(void **state)
{
	struct fifo_guest *g = *state;

	need_real_time();
	set_running(g, WHO);
	raise_port(g, EVENT);
	g->vm->watch.got_ns[WHO] = now_ns() - 100 * LENGTH_NS;
	g->vm->watch.boost.budget_ns = SAVINGS_NS;
	assert_int_equal(uc_watch_start(g->vm, &(struct uc_diag){0}), 0);
	WAIT_FOR(uc_boost_is_owed(g->vm, WHO));
}

/* The machine ends in the very look that boosts. */
static void its_end_takes_all_back(void **state)
{
	struct fifo_guest *g = *state;

	need_real_time();
	start(g);
	spy.stop_when_boosted = 1;
	raise_port(g, EVENT);
	WAIT_FOR(load(&spy.boosts[WHO]));
	uc_watch_join(g->vm);
	assert_true(all_are_fair());
	assert_int_equal(load(&spy.ends[WHO]), 1);
	assert_int_equal(g->vm->watch.boost.count, 1);
	assert_int_equal(g->vm->watch.boost.boosted, 0);
}

/* vCPU 2 runs: it could take the event at once. */
static void while_another_runs_the_event_goes_there(void **state)
{
	const uint64_t either = 1u << WHO | 1u << 2;
	struct fifo_guest *g = *state;

	raise_port(g, EVENT);
	assert_true(waits_at(g, WHO));
	assert_int_equal(uc_port_set_affinity(&g->vm->domain, g->ends[EVENT].port, &either), 0);
	set_running(g, 2);
	g->vm->watch.boost.budget_ns = SAVINGS_NS;
	assert_int_equal(uc_watch_start(g->vm, &(struct uc_diag){0}), 0);
	WAIT_FOR(waits_at(g, 2));
	stop(g);
	assert_false(waits_at(g, WHO));
	assert_int_equal(g->vm->watch.moved, 1);
	assert_int_equal(load(&spy.boosts[WHO]), 0);
}

/* The same, but nobody runs: it stays where it is, and gets a CPU. */
static void while_nobody_runs_it_stays(void **state)
{
	const uint64_t either = 1u << WHO | 1u << 2;
	struct fifo_guest *g = *state;

	need_real_time();
	raise_port(g, EVENT);
	assert_int_equal(uc_port_set_affinity(&g->vm->domain, g->ends[EVENT].port, &either), 0);
	set_preempted(g, WHO, 1); /* vCPU 2 waits longer */
	spy.stop_when_boosted = 1;
	g->vm->watch.boost.budget_ns = SAVINGS_NS;
	assert_int_equal(uc_watch_start(g->vm, &(struct uc_diag){0}), 0);
	WAIT_FOR(boosts() || load(&spy.asked) > LOOKS);
	stop(g);
	assert_int_equal(load(&spy.boosts[WHO]), 1);
	assert_int_equal(boosts(), 1);
	assert_true(waits_at(g, WHO));
	assert_int_equal(g->vm->watch.moved, 0);
}

static void raise_in_vain(struct fifo_guest *g)
{
	raise_port(g, EVENT);
	WAIT_FOR(load(&spy.asked) > LOOKS);
	stop(g);
	assert_int_equal(g->vm->watch.boost.count, 0);
	assert_int_equal(boosts(), 0);
	assert_true(waits_at(g, WHO));
}

static void never_is_never(void **state)
{
	struct fifo_guest *g = *state;

	g->vm->watch.boost.when = UC_BOOST_NEVER;
	need_real_time();
	start(g);
	raise_in_vain(g);
}

static void only_what_follows_is_boosted(void **state)
{
	struct fifo_guest *g = *state;

	assert_int_equal(uc_routing_set_policy(g->vm, UC_POLICY_ROUND_ROBIN), 0);
	/* This asks for run states, so that looks can be counted. */
	assert_int_equal(uc_port_set_policy(&g->vm->domain, g->ends[EVENT].port, UC_POLICY_FOLLOW),
			 0);
	need_real_time();
	start(g);
	raise_in_vain(g);
}

static void without_the_right_it_goes_on(void **state)
{
	struct fifo_guest *g = *state;

	allow_real_time(false);
	start(g);
	assert_false(__atomic_load_n(&g->vm->watch.boost.may, __ATOMIC_RELAXED));
	raise_in_vain(g);
}

static void always_is_for_what_is_pinned_too(void **state)
{
	struct fifo_guest *g = *state;

	g->vm->watch.boost.when = UC_BOOST_ALWAYS;
	assert_int_equal(uc_routing_set_policy(g->vm, UC_POLICY_PINNED), 0);
	set_running(g, 2); /* would take it, were it not pinned */
	assert_int_equal(uc_bind_vcpu(&g->vm->domain, g->ends[EVENT].port, WHO), 0);
	need_real_time();
	start(g);
	raise_port(g, EVENT);
	WAIT_FOR(load(&spy.boosts[WHO]));
	WAIT_FOR(load(&spy.ends[WHO]));
	stop(g);
	assert_true(waits_at(g, WHO));
	assert_int_equal(g->vm->watch.moved, 0);
	assert_true(all_are_fair());
}

/* ---- who tells the watcher, and how pressing that is ---- */

static bool is_told(struct fifo_guest *g)
{
	struct uc_watch *w = &g->vm->watch;
	bool told = w->got[0] >> WHO & 1;

	assert_int_equal(w->got[0], w->waiting[0]);
	assert_int_equal(w->got[0], told ? 1u << WHO : 0);
	w->got[0] = w->waiting[0] = 0;
	return told;
}

static bool is_urgent(struct fifo_guest *g)
{
	bool urgent = g->vm->watch.urgent;

	g->vm->watch.urgent = 0;
	return urgent;
}

/* There is no watcher; this is what it would find. */
static void tell(struct fifo_guest *g, enum uc_policy policy, enum uc_boost_when when)
{
	assert_int_equal(uc_routing_set_policy(g->vm, policy), 0);
	g->vm->watch.boost.when = when;
	uc_routing_queued(g->vm, &g->vm->evtchn_vcpus[WHO]);
}

static void it_is_urgent_for_a_preempted_vcpu_only(void **state)
{
	struct fifo_guest *g = *state;

	g->vm->watch.boost.may = true;
	tell(g, UC_POLICY_FOLLOW, UC_BOOST_FOLLOW);
	assert_true(is_told(g) && is_urgent(g));
	set_running(g, WHO);
	tell(g, UC_POLICY_FOLLOW, UC_BOOST_FOLLOW);
	assert_true(is_told(g) && !is_urgent(g));
	set_outside(g, WHO);
	tell(g, UC_POLICY_FOLLOW, UC_BOOST_FOLLOW);
	assert_true(is_told(g) && !is_urgent(g));
}

static void it_is_urgent_only_where_boosts_are(void **state)
{
	struct fifo_guest *g = *state;

	g->vm->watch.boost.may = true;
	tell(g, UC_POLICY_FOLLOW, UC_BOOST_NEVER);
	assert_true(is_told(g) && !is_urgent(g));
	tell(g, UC_POLICY_RANDOM, UC_BOOST_FOLLOW);
	assert_true(is_told(g) && !is_urgent(g));
	tell(g, UC_POLICY_PINNED, UC_BOOST_FOLLOW);
	assert_true(!is_told(g) && !is_urgent(g));
	tell(g, UC_POLICY_PINNED, UC_BOOST_ALWAYS);
	assert_true(is_told(g) && is_urgent(g));
	g->vm->watch.boost.may = false;
	tell(g, UC_POLICY_PINNED, UC_BOOST_ALWAYS);
	assert_true(!is_told(g) && !is_urgent(g));
	tell(g, UC_POLICY_FOLLOW, UC_BOOST_ALWAYS);
	assert_true(is_told(g) && !is_urgent(g));
}

#define WATCH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCH_TEST(who_gets_an_event_and_no_cpu_is_boosted),
		WATCH_TEST(boosts_follow_each_other),
		WATCH_TEST(who_is_at_work_is_boosted_and_looked_after),
		WATCH_TEST(who_has_run_since_is_owed_nothing),
		WATCH_TEST(who_runs_is_owed_what_it_got_lately),
		WATCH_TEST(who_has_lost_its_cpu_is_owed_however_late_it_is),
		WATCH_TEST(who_has_not_taken_it_is_owed_although_it_runs),
		WATCH_TEST(its_end_takes_all_back),
		WATCH_TEST(while_another_runs_the_event_goes_there),
		WATCH_TEST(while_nobody_runs_it_stays),
		WATCH_TEST(never_is_never),
		WATCH_TEST(only_what_follows_is_boosted),
		WATCH_TEST(without_the_right_it_goes_on),
		WATCH_TEST(always_is_for_what_is_pinned_too),
		WATCH_TEST(it_is_urgent_for_a_preempted_vcpu_only),
		WATCH_TEST(it_is_urgent_only_where_boosts_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
