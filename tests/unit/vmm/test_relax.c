/* SPDX-License-Identifier: MIT */
/*
 * A real-time thread (the watcher, a boosted vCPU) that spins for a lock of the library's, whose
 * holder, an ordinary thread, waits for the same CPU. It must not spin until the end of days.
 */
#include "fifo_guest.h"

#include <pthread.h>
#include <sched.h>

#include "real_time.h"
#include "thread_attr.h"
#include "vmm/xen/host_ops.h"

/* The lock is held for so many. A yield gives nothing: then far more come before the kernel helps.
 */
#define HELD_FOR    20u
#define RELAXES_MAX 100000u /* of 20 µs at least */

static uint32_t lock, relaxes;

static void bind_to_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

static void *spin(void *arg)
{
	struct thread_attr attr = {.policy = SCHED_FIFO, .priority = 1};

	(void)arg;
	if (!thread_attr_set(&attr))
		return NULL;
	while (__atomic_load_n(&lock, __ATOMIC_ACQUIRE)) {
		uc_vm_host_ops.relax(NULL);
		__atomic_fetch_add(&relaxes, 1, __ATOMIC_RELAXED);
	}
	return &relaxes;
}

static void who_spins_lets_the_holder_go_on(void **state)
{
	struct thread_attr fair = {.policy = SCHED_OTHER};
	pthread_t thread;
	void *spun;

	(void)state;
	need_real_time();
	bind_to_one_cpu();
	assert_true(thread_attr_set(&fair));
	lock = 1;
	assert_int_equal(pthread_create(&thread, NULL, spin, NULL), 0);
	while (__atomic_load_n(&relaxes, __ATOMIC_RELAXED) < HELD_FOR)
		;
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	pthread_join(thread, &spun);
	assert_non_null(spun);
	assert_in_range(relaxes, HELD_FOR, RELAXES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_spins_lets_the_holder_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
