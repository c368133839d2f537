/* SPDX-License-Identifier: MIT */
/*
 * Time slices (vmm/latency.h) as the kernel has noted them. Each case is a thread of its own. Linux
 * tells a thread's slice from 6.12 on; older ones tell 0, and what needs it is skipped.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "thread_attr.h"
#include "vmm/latency.h"

#define SLICE_NS 700000u /* nobody's default */
#define NICE	 5

struct experiment {
	uint32_t policy; /* the thread's before */
	uint32_t priority;
	bool refused; /* it may not have that policy */
	struct thread_attr before, after;
	uint32_t default_ns; /* what UC_SLICE_DEFAULT made of it then */
	uint32_t childs_ns;  /* of a thread that it started while it had SLICE_NS */
};

static void *note_own_slice(void *slice_ns)
{
	*(uint32_t *)slice_ns = thread_attr(0).slice_ns;
	return NULL;
}

static void *carry_out(void *arg)
{
	struct experiment *e = arg;
	struct thread_attr attr = {
		.policy = e->policy, .priority = e->priority, .nice = e->priority ? 0 : NICE};
	pthread_t child;

	e->refused = !thread_attr_set(&attr);
	e->before = thread_attr(0);
	uc_thread_slice(0, SLICE_NS);
	e->after = thread_attr(0);
	if (!pthread_create(&child, NULL, note_own_slice, &e->childs_ns))
		pthread_join(child, NULL);
	uc_thread_slice(0, UC_SLICE_DEFAULT);
	e->default_ns = thread_attr(0).slice_ns;
	return NULL;
}

static struct experiment with_policy(uint32_t policy, uint32_t priority)
{
	struct experiment e = {.policy = policy, .priority = priority};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, carry_out, &e), 0);
	pthread_join(thread, NULL);
	return e;
}

static void skip_without_slices(void)
{
	if (thread_attr(0).slice_ns)
		return;
	print_message("skipped: this kernel has no time slices per thread (Linux 6.12 has)\n");
	skip();
}

/* ---- */

static void policy_and_nice_stay(void **state)
{
	struct experiment e = with_policy(SCHED_OTHER, 0);

	(void)state;
	assert_false(e.refused);
	assert_int_equal(e.before.nice, NICE);
	assert_int_equal(e.after.nice, NICE);
	assert_int_equal(e.after.policy, SCHED_OTHER);
	assert_int_equal(e.after.flags, e.before.flags);
}

static void the_slice_is_what_was_asked_for(void **state)
{
	struct experiment e;

	(void)state;
	skip_without_slices();
	e = with_policy(SCHED_OTHER, 0);
	assert_int_not_equal(e.before.slice_ns, SLICE_NS);
	assert_int_equal(e.after.slice_ns, SLICE_NS);
}

static void the_default_is_the_kernels_again(void **state)
{
	struct experiment e;

	(void)state;
	skip_without_slices();
	e = with_policy(SCHED_OTHER, 0);
	assert_int_equal(e.default_ns, e.before.slice_ns);
}

static void a_thread_started_afterwards_has_the_same(void **state)
{
	(void)state;
	skip_without_slices();
	assert_int_equal(with_policy(SCHED_OTHER, 0).childs_ns, SLICE_NS);
}

static void the_shortest_is_taken(void **state)
{
	struct thread_attr before = thread_attr(0);

	(void)state;
	skip_without_slices();
	uc_thread_slice(0, UC_SLICE_SHORT_NS);
	assert_int_equal(thread_attr(0).slice_ns, UC_SLICE_SHORT_NS);
	uc_thread_slice(0, UC_SLICE_DEFAULT);
	assert_int_equal(thread_attr(0).slice_ns, before.slice_ns);
}

struct other {
	pthread_barrier_t ready, done;
	uint32_t policy;
	bool refused;
	pid_t tid;
	struct thread_attr before, after;
};

static void *wait_meanwhile(void *arg)
{
	struct other *o = arg;

	o->refused = !thread_attr_set(&(struct thread_attr){.policy = o->policy, .nice = NICE});
	o->tid = gettid();
	pthread_barrier_wait(&o->ready);
	pthread_barrier_wait(&o->done);
	return NULL;
}

/* This thread asks for another one, of that policy. */
static struct other ask_for_another(uint32_t policy)
{
	struct other o = {.policy = policy};
	pthread_t thread;

	pthread_barrier_init(&o.ready, NULL, 2);
	pthread_barrier_init(&o.done, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, wait_meanwhile, &o), 0);
	pthread_barrier_wait(&o.ready);
	o.before = thread_attr(o.tid);
	uc_thread_slice(o.tid, SLICE_NS);
	o.after = thread_attr(o.tid);
	pthread_barrier_wait(&o.done);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&o.ready);
	pthread_barrier_destroy(&o.done);
	assert_false(o.refused);
	return o;
}

static void another_thread_is_named_by_its_tid(void **state)
{
	struct thread_attr own = thread_attr(0), own_after;
	struct other o = ask_for_another(SCHED_OTHER);

	(void)state;
	own_after = thread_attr(0);
	assert_memory_equal(&own_after, &own, sizeof(own));
	assert_int_equal(o.after.policy, SCHED_OTHER);
	assert_int_equal(o.after.nice, NICE);
	skip_without_slices();
	assert_int_equal(o.after.slice_ns, SLICE_NS);
}

static void another_batch_thread_is_left_alone(void **state)
{
	struct other o = ask_for_another(SCHED_BATCH);

	(void)state;
	assert_int_equal(o.before.policy, SCHED_BATCH);
	assert_memory_equal(&o.after, &o.before, sizeof(o.after));
}

static void assert_left_alone(const struct experiment *e)
{
	assert_int_equal(e->before.policy, e->policy);
	assert_memory_equal(&e->after, &e->before, sizeof(e->after));
}

static void a_batch_thread_is_left_alone(void **state)
{
	struct experiment e = with_policy(SCHED_BATCH, 0);

	(void)state;
	assert_false(e.refused);
	assert_left_alone(&e);
}

static void real_time_threads_are_left_alone(void **state)
{
	struct experiment fifo = with_policy(SCHED_FIFO, 1), rr = with_policy(SCHED_RR, 2);

	(void)state;
	if (fifo.refused || rr.refused) {
		print_message("skipped: this process may not have real-time threads\n");
		skip();
	}
	assert_left_alone(&fifo);
	assert_left_alone(&rr);
}

static void a_thread_that_is_gone_does_no_harm(void **state)
{
	struct thread_attr before = thread_attr(0), after;

	(void)state;
	uc_thread_slice(INT32_MAX, SLICE_NS); /* above any pid_max */
	after = thread_attr(0);
	assert_memory_equal(&after, &before, sizeof(after));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policy_and_nice_stay),
		cmocka_unit_test(the_slice_is_what_was_asked_for),
		cmocka_unit_test(the_default_is_the_kernels_again),
		cmocka_unit_test(a_thread_started_afterwards_has_the_same),
		cmocka_unit_test(the_shortest_is_taken),
		cmocka_unit_test(another_thread_is_named_by_its_tid),
		cmocka_unit_test(another_batch_thread_is_left_alone),
		cmocka_unit_test(a_batch_thread_is_left_alone),
		cmocka_unit_test(real_time_threads_are_left_alone),
		cmocka_unit_test(a_thread_that_is_gone_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
