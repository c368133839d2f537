/* SPDX-License-Identifier: MIT */
/*
 * What vCPUs do while they are at work on an event, and what of it concerns the watcher: they wake
 * others (an IPI), they answer (an event to a device). And ports with a policy of their own.
 *
 * The watcher does not run in most of these tests: what it is told stays where it was put.
 */
#include "fifo_guest.h"

#include <pthread.h>
#include <time.h>

#define WHO   0u /* is at work; this thread is its */
#define OTHER 2u

static struct uc_watch *watch_of(struct fifo_guest *g)
{
	return &g->vm->watch;
}

static bool is_told_of(struct fifo_guest *g, uint32_t id)
{
	const struct uc_watch *w = watch_of(g);

	assert_int_equal(w->waiting[0], w->got[0]);
	return (w->waiting[0] >> id) & 1;
}

static void forget(struct fifo_guest *g)
{
	struct uc_watch *w = watch_of(g);

	w->waiting[0] = w->got[0] = 0;
	w->urgent = 0;
}

/* As the watcher's thread would with the right to boost. */
static int set_up(void **state)
{
	struct fifo_guest *g;

	fifo_guest_new(state);
	g = *state;
	assert_int_equal(uc_routing_set_policy(g->vm, UC_POLICY_FOLLOW), 0);
	watch_of(g)->boost.may = true;
	watch_of(g)->boost.length_ns = 1000000;
	set_running(g, WHO);
	set_preempted(g, OTHER, 0);
	return 0;
}

static uint32_t ipi_of(struct fifo_guest *g, uint32_t vcpu)
{
	struct uc_port_info info;
	uint32_t port = 1;

	while (uc_port_info(&g->vm->domain, port, &info) || info.kind != UC_PORT_IPI ||
	       info.vcpu != vcpu)
		port++;
	return port;
}

/* Whether it is pending already does not matter. */
static void wake(struct fifo_guest *g, uint32_t from, uint32_t to)
{
	uc_routing_sent(g->vm, from, ipi_of(g, to));
}

/* ---- whom it wakes ---- */

static void who_is_woken_by_one_at_work_shall_run_at_once(void **state)
{
	struct fifo_guest *g = *state;

	uc_boost_owe(g->vm, WHO);
	wake(g, WHO, OTHER);
	assert_true(is_told_of(g, OTHER));
	assert_int_equal(watch_of(g)->urgent, 1);
}

/* Before the watcher has looked. */
static void one_that_has_just_got_something_is_at_work(void **state)
{
	struct fifo_guest *g = *state;

	assert_false(uc_watch_is_at_work(g->vm, WHO));
	uc_watch_queued(g->vm, WHO, false);
	assert_true(uc_watch_is_at_work(g->vm, WHO));
	wake(g, WHO, OTHER);
	assert_true(is_told_of(g, OTHER));
}

static void others_ipis_are_nobody_s_business(void **state)
{
	struct fifo_guest *g = *state;

	wake(g, WHO, OTHER);
	assert_false(is_told_of(g, OTHER));
	uc_boost_owe(g->vm, 1); /* another one is at work */
	wake(g, WHO, OTHER);
	assert_false(is_told_of(g, OTHER));
	assert_int_equal(watch_of(g)->urgent, 0);
}

/* Not yet: it may lose its CPU before it has done what it is woken for. */
static void one_that_runs_is_looked_after_calmly(void **state)
{
	struct fifo_guest *g = *state;

	uc_boost_owe(g->vm, WHO);
	set_running(g, OTHER);
	wake(g, WHO, OTHER);
	assert_true(is_told_of(g, OTHER));
	assert_int_equal(watch_of(g)->urgent, 0);
}

static void who_was_woken_does_not_pass_it_on(void **state)
{
	struct fifo_guest *g = *state;

	uc_boost_owe(g->vm, WHO);
	wake(g, WHO, OTHER);
	assert_true(uc_watch_is_at_work(g->vm, OTHER));
	wake(g, OTHER, 1);
	assert_false(is_told_of(g, 1));
	uc_watch_queued(g->vm, OTHER, false); /* an event of its own */
	wake(g, OTHER, 1);
	assert_true(is_told_of(g, 1));
}

static void who_is_woken_at_work_still_passes_on(void **state)
{
	struct fifo_guest *g = *state;

	uc_boost_owe(g->vm, WHO);
	uc_watch_queued(g->vm, OTHER, false);
	wake(g, WHO, OTHER);
	wake(g, OTHER, 1);
	assert_true(is_told_of(g, 1));
}

static void it_does_not_wake_itself(void **state)
{
	struct fifo_guest *g = *state;

	uc_boost_owe(g->vm, WHO);
	set_preempted(g, WHO, 0);
	wake(g, WHO, WHO);
	assert_false(is_told_of(g, WHO));
}

static void without_boosts_nothing_is_passed_on(void **state)
{
	struct fifo_guest *g = *state;

	uc_boost_owe(g->vm, WHO);
	watch_of(g)->boost.when = UC_BOOST_NEVER;
	wake(g, WHO, OTHER);
	assert_false(is_told_of(g, OTHER));
}

/* It follows, but nobody hurries for it, and who gets it is not at work. */
static void what_nobody_waits_for_is_no_work(void **state)
{
	struct fifo_guest *g = *state;

	set_preempted(g, WHO, 0);
	forget(g);
	uc_routing_set_calm(true);
	raise_port(g, 0);
	uc_routing_set_calm(false);
	assert_int_not_equal(watch_of(g)->waiting[0], 0);
	assert_int_equal(watch_of(g)->got[0], 0);
	assert_int_equal(watch_of(g)->urgent, 0);
	raise_port(g, 1);
	assert_int_not_equal(watch_of(g)->got[0], 0);
}

/* ---- its answer ---- */

static bool is_answered(struct fifo_guest *g)
{
	return watch_of(g)->boost.debts[WHO].answered;
}

static void what_it_sends_to_a_device_is_its_answer(void **state)
{
	struct fifo_guest *g = *state;

	uc_boost_owe(g->vm, WHO);
	uc_routing_sent(g->vm, WHO, g->ends[0].port);
	assert_true(is_answered(g));
	assert_int_equal(watch_of(g)->urgent, 0);
	assert_true(uc_watch_is_at_work(g->vm, WHO));
	uc_boost_owe(g->vm, WHO);
	assert_false(is_answered(g));
}

static void an_ipi_is_no_answer(void **state)
{
	struct fifo_guest *g = *state;

	uc_boost_owe(g->vm, WHO);
	uc_routing_sent(g->vm, WHO, ipi_of(g, OTHER));
	uc_routing_sent(g->vm, WHO, 0);
	uc_routing_sent(g->vm, WHO, UINT32_MAX);
	assert_false(is_answered(g));
}

static void who_is_owed_nothing_answers_nothing(void **state)
{
	struct fifo_guest *g = *state;

	uc_routing_sent(g->vm, WHO, g->ends[0].port);
	assert_false(is_answered(g));
}

/* ---- ports that differ ---- */

static void a_port_that_follows_is_watched_in_a_pinned_domain(void **state)
{
	struct fifo_guest *g = *state;

	assert_int_equal(uc_routing_set_policy(g->vm, UC_POLICY_PINNED), 0);
	forget(g);
	raise_port(g, 0);
	assert_int_equal(watch_of(g)->waiting[0], 0);
	take_at(g, 0);
	assert_int_equal(uc_routing_set_port_policy(g->vm, g->ends[1].port, UC_POLICY_FOLLOW), 0);
	raise_port(g, 1);
	assert_int_not_equal(watch_of(g)->waiting[0], 0);
}

/* ---- however urgent ---- */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Each look takes so long, by the thread's clock. */
static uint64_t look_ns, cpu_ns;

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	if (clock != CLOCK_THREAD_CPUTIME_ID)
		return __real_clock_gettime(clock, t);
	cpu_ns += look_ns;
	*t = (struct timespec){(time_t)(cpu_ns / 1000000000u), (long)(cpu_ns % 1000000000u)};
	return 0;
}

/* A guest that makes up urgent things as fast as it can. The time of so many looks. */
static uint64_t watch_ns(struct fifo_guest *g, uint64_t looks)
{
	struct uc_watch *w = watch_of(g);
	struct uc_diag diag = {0};
	uint64_t begun_ns = now_ns();

	assert_int_equal(uc_watch_start(g->vm, &diag), 0);
	while (__atomic_load_n(&w->looks, __ATOMIC_RELAXED) < looks)
		uc_watch_queued(g->vm, OTHER, true);
	uc_vm_stop(g->vm, UC_VM_POWEROFF);
	uc_watch_join(g->vm);
	return now_ns() - begun_ns;
}

static void looks_keep_their_distance(void **state)
{
	look_ns = 0;
	assert_true(watch_ns(*state, 200) >= 199 * UC_WATCH_LEAST_NS);
}

/* On a slow machine, say. */
static void looks_that_take_long_are_rare(void **state)
{
	look_ns = 2000000;
	assert_true(watch_ns(*state, 20) >= 19 * UC_WATCH_REST * look_ns);
	look_ns = 0;
}

#define WORK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fifo_guest_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORK_TEST(who_is_woken_by_one_at_work_shall_run_at_once),
		WORK_TEST(one_that_has_just_got_something_is_at_work),
		WORK_TEST(others_ipis_are_nobody_s_business),
		WORK_TEST(one_that_runs_is_looked_after_calmly),
		WORK_TEST(who_was_woken_does_not_pass_it_on),
		WORK_TEST(who_is_woken_at_work_still_passes_on),
		WORK_TEST(it_does_not_wake_itself),
		WORK_TEST(without_boosts_nothing_is_passed_on),
		WORK_TEST(what_nobody_waits_for_is_no_work),
		WORK_TEST(what_it_sends_to_a_device_is_its_answer),
		WORK_TEST(an_ipi_is_no_answer),
		WORK_TEST(who_is_owed_nothing_answers_nothing),
		WORK_TEST(a_port_that_follows_is_watched_in_a_pinned_domain),
		WORK_TEST(looks_keep_their_distance),
		WORK_TEST(looks_that_take_long_are_rare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
