/* SPDX-License-Identifier: MIT */
/*
 * uc_endpoint_close() promises that notify() is not running when it returns. The closer's change of
 * the port's kind must not wait in its CPU's store buffer while it looks for senders: real threads,
 * because a build with steps does not have such buffers. With a plain load in
 * uc_endpoint_quiesce() a few of 3 million closes fail, or the sender reads an end point that is
 * gone.
 */
#include "fixture.h"

#include <pthread.h>
#include <stdbool.h>

/* TSan is slow, and sees another order of accesses anyway. */
#ifdef __SANITIZE_THREAD__
#define CLOSES 100000
#else
#define CLOSES 3000000
#endif

static struct uc_domain *domain;
static uint32_t port;
static bool closed, stop;
static uint32_t late;

/* Stays for a while, so that a close that did not wait for it is seen. */
static void notify(struct uc_endpoint *e)
{
	(void)e;
	for (unsigned int i = 0; i < 60; i++)
		if (__atomic_load_n(&closed, __ATOMIC_SEQ_CST)) {
			__atomic_fetch_add(&late, 1, __ATOMIC_SEQ_CST);
			return;
		}
}

static void *sender(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		(void)uc_send(domain, port);
	return NULL;
}

static void wait_a_little(unsigned int turns)
{
	for (unsigned int i = 0; i < turns; i++)
		__asm__ volatile("" ::: "memory");
}

static void relax(void)
{
}

static void notify_never_runs_after_close(void **state)
{
	struct world *w = *state;
	struct uc_endpoint e = {.notify = notify};
	pthread_t thread;

	w->on_relax = relax;
	domain = &w->a->d;
	assert_int_equal(uc_alloc_unbound(domain, UC_DOMID_HOST, &port), 0);
	assert_int_equal(pthread_create(&thread, NULL, sender, NULL), 0);
	for (unsigned int i = 0; i < CLOSES; i++) {
		__atomic_store_n(&closed, false, __ATOMIC_SEQ_CST);
		assert_int_equal(uc_endpoint_bind(&e, domain, port), 0);
		wait_a_little(i % 16);
		uc_endpoint_close(&e);
		__atomic_store_n(&closed, true, __ATOMIC_SEQ_CST);
		wait_a_little(30);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_int_equal(late, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(notify_never_runs_after_close)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
