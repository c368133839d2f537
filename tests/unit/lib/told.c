/* SPDX-License-Identifier: MIT */
/*
 * Whom the host is told of (uc_host_ops.queued) when an event comes again while the guest is at
 * work on it: raised while masked, or known by the host to have more behind it. What is queued
 * afresh is in handover.c. Only vCPU `who` runs after only_runs(who).
 */
#include "fixture.h"

#include <string.h>

#include <upcall/route.h>
#include <xen/errno.h>
#include <xen/xen.h>

static void only_runs(struct machine *m, uint32_t who)
{
	for (uint32_t v = 0; v < VCPUS; v++) {
		m->state[v] = v == who ? UC_VCPU_RUNNING : UC_VCPU_PREEMPTED;
		m->since[v] = v;
	}
}

/* A FIFO guest whose events follow. */
static struct machine *start(void **state)
{
	struct machine *a = ((struct world *)*state)->a;

	start_fifo(a, 1);
	open_ipis(a);
	assert_int_equal(uc_domain_set_policy(&a->d, UC_POLICY_FOLLOW), 0);
	only_runs(a, 0);
	return a;
}

/* The host has been told so often of `who`, and of nobody else, since the last call. */
static void assert_told(struct machine *m, uint32_t who, uint32_t times)
{
	for (uint32_t v = 0; v < VCPUS; v++)
		assert_int_equal(m->queued[v], v == who ? times : 0);
	memset(m->queued, 0, sizeof(m->queued));
}

/* Got and taken by `who`, so that the next one goes there, too, while nobody else runs. */
static void give(struct machine *m, struct line *l, uint32_t who)
{
	only_runs(m, who);
	raise_line(l);
	assert_told(m, who, 1);
	assert_int_equal(run(m, who), 1);
	memset(m->kicks, 0, sizeof(m->kicks));
}

static void assert_nothing_queued(struct machine *m)
{
	for (uint32_t v = 0; v < VCPUS; v++) {
		assert_int_equal(m->kicks[v], 0);
		assert_int_equal(uc_vcpu_untaken(&m->vcpus[v]), 0);
	}
}

/* ---- uc_endpoint_more() ---- */

static void more_is_for_whoever_got_the_last(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 0), before;

	for (uint32_t who = VCPUS - 1; who < VCPUS; who--) {
		give(a, &l, who);
		only_runs(a, (who + 1) % VCPUS); /* where the next event would go */
		before = word(a, port);
		uc_endpoint_more(&l.e);
		assert_told(a, who, 1);
		uc_endpoint_more(&l.e);
		assert_told(a, who, 1);
		assert_int_equal(word(a, port), before);
		assert_nothing_queued(a);
	}
	assert_int_equal(l.notified, 0);
}

static void more_is_for_whom_it_was_handed_to(void **state)
{
	struct machine *a = start(state);
	struct line l;

	open_line(a, &l, 0);
	raise_line(&l);
	only_runs(a, 2);
	assert_int_equal(uc_vcpu_handover(&a->vcpus[0]), 1);
	memset(a->queued, 0, sizeof(a->queued));
	uc_endpoint_more(&l.e);
	assert_told(a, 2, 1);
}

static void more_of_a_pinned_one_is_told_too(void **state)
{
	struct machine *a = start(state);
	struct line l;

	assert_int_equal(uc_domain_set_policy(&a->d, UC_POLICY_PINNED), 0);
	open_line(a, &l, 3);
	give(a, &l, 3);
	uc_endpoint_more(&l.e);
	assert_told(a, 3, 1);
}

static void more_of_what_is_not_connected_is_nothing(void **state)
{
	struct machine *a = start(state);
	struct line closed_by_guest, closed_by_host, unbound = {0}, reused;
	uint32_t port = open_line(a, &closed_by_guest, 0);

	open_line(a, &closed_by_host, 0);
	give(a, &closed_by_guest, 1);
	give(a, &closed_by_host, 1);
	assert_int_equal(uc_close(&a->d, port), 0);
	uc_endpoint_close(&closed_by_host.e);
	uc_endpoint_more(&unbound.e);
	uc_endpoint_more(&closed_by_guest.e);
	uc_endpoint_more(&closed_by_host.e);
	assert_told(a, 0, 0);
	/* The number is another's now. */
	assert_int_equal(open_line(a, &reused, 0), port);
	uc_endpoint_more(&closed_by_guest.e);
	assert_told(a, 0, 0);
}

/* ---- raised while it is masked ---- */

static void a_masked_raise_is_told(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	give(a, &l, 2);
	uc_guest_mask(&a->guest, port);
	only_runs(a, 1);
	raise_line(&l);
	assert_told(a, 2, 1);
	raise_line(&l); /* pending already */
	assert_told(a, 2, 1);
	assert_nothing_queued(a);
	uc_guest_unmask(&a->guest, port); /* it is queued now */
	assert_told(a, 1, 1);
	assert_string_equal((run_all(a), handled(a)), "2:5 1:5");
}

static void what_is_linked_is_told_once(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	raise_line(&l);
	raise_line(&l);
	assert_told(a, 0, 1);
	uc_guest_mask(&a->guest, port);
	raise_line(&l);
	assert_told(a, 0, 0);
}

/* The host may take its time over what it is told; the vCPU has its upcall by then. */
static void the_upcall_comes_first(void **state)
{
	struct machine *a = start(state);
	struct line l;

	open_line(a, &l, 0);
	raise_line(&l);
	assert_told(a, 0, 1);
	assert_int_equal(a->kicks_at_queued, 1);
}

/* Masked or not, timers and IPIs are nobody's concern. */
static void what_cannot_move_is_not_told(void **state)
{
	struct machine *a = start(state);
	uint32_t timer, ipi = 1;

	assert_int_equal(uc_bind_virq(&a->d, VIRQ_TIMER, 1, &timer), 0);
	uc_guest_mask(&a->guest, timer);
	uc_guest_mask(&a->guest, ipi);
	assert_int_equal(uc_virq_raise(&a->vcpus[1], VIRQ_TIMER), 0);
	assert_int_equal(uc_send(&a->d, ipi), 0);
	assert_told(a, 0, 0);
}

/* ---- others ---- */

static void a_host_that_does_not_watch_is_not_asked(void **state)
{
	struct machine *a = start(state);
	struct uc_host_ops ops = *a->d.host->ops;
	const struct uc_host_ops *watching = ((struct world *)*state)->host.ops;
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	ops.queued = NULL;
	((struct world *)*state)->host.ops = &ops;
	uc_guest_mask(&a->guest, port);
	raise_line(&l);
	uc_endpoint_more(&l.e);
	((struct world *)*state)->host.ops = watching;
	assert_told(a, 0, 0);
	assert_true(uc_guest_pending(&a->guest, port));
}

/* Nothing of it can move, so nobody watches: neither what is queued is told nor what comes again.
 */
static void a_2_level_raise_is_not_told(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port;

	start_2l(a);
	port = open_line(a, &l, 0);
	raise_line(&l);
	uc_guest_mask(&a->guest, port);
	raise_line(&l);
	uc_guest_clear(&a->guest, port);
	raise_line(&l);
	assert_told(a, 0, 0);
}

/* 2-level events do not move: there is nobody to tell. */
static void more_in_2_level_is_for_whoever_got_the_last(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;

	start_2l(a);
	open_line(a, &l, 2);
	raise_line(&l);
	assert_int_equal(run(a, 2), 1);
	uc_endpoint_more(&l.e);
	assert_int_equal(a->queued[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(more_is_for_whoever_got_the_last),
		TEST(more_is_for_whom_it_was_handed_to),
		TEST(more_of_a_pinned_one_is_told_too),
		TEST(more_of_what_is_not_connected_is_nothing),
		TEST(a_masked_raise_is_told),
		TEST(what_is_linked_is_told_once),
		TEST(the_upcall_comes_first),
		TEST(what_cannot_move_is_not_told),
		TEST(a_host_that_does_not_watch_is_not_asked),
		TEST(a_2_level_raise_is_not_told),
		TEST(more_in_2_level_is_for_whoever_got_the_last),
	};

	return cmocka_run_group_tests_name("told", tests, NULL, NULL);
}
