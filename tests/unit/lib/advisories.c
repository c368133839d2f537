/* SPDX-License-Identifier: MIT */
/*
 * Xen's security advisories and fixed races that concern this code, each as a test of its name: see
 * docs/advisories.md for what each was. Those that need another party at a certain access are in
 * advisories_races.c.
 */
#include "fixture.h"

#include <pthread.h>

#include <upcall/route.h>
#include <xen/errno.h>
#include <xen/xen.h>

#include <xen/event_channel.h>

static void every_operation_refuses(struct machine *m, uint32_t port)
{
	struct uc_port_info info;

	assert_int_equal(uc_send(&m->d, port), -XEN_EINVAL);
	assert_int_equal(uc_unmask(&m->d, port), -XEN_EINVAL);
	assert_int_equal(uc_close(&m->d, port), -XEN_EINVAL);
	assert_int_equal(uc_bind_vcpu(&m->d, port, 1), -XEN_EINVAL);
	assert_int_equal(uc_port_info(&m->d, port, &info), -XEN_EINVAL);
	assert_int_equal(uc_poll_begin(&m->vcpus[0], &port, 1), -XEN_EINVAL);
}

/* ---- advisories ---- */

static void xsa_47_a_bind_that_is_refused_leaves_no_port_behind(void **state)
{
	struct world *w = *state;
	uint32_t unbound, port = 77, valid;

	start_fifo(w->a, 1);
	assert_int_equal(uc_alloc_unbound(&w->a->d, ID_B, &unbound), 0);
	valid = uc_ports_valid(&w->a->d);
	assert_int_equal(uc_bind_interdomain(&w->a->d, ID_B, 3, &port), -XEN_EINVAL);
	assert_int_equal(uc_bind_interdomain(&w->a->d, ID_NONE, 3, &port), -XEN_ESRCH);
	assert_int_equal(uc_bind_interdomain(&w->a->d, UC_DOMID_SELF, unbound, &port), -XEN_EINVAL);
	assert_int_equal(uc_bind_virq(&w->a->d, VIRQ_DOM_EXC, 0, &port), -XEN_EBUSY);
	assert_int_equal(uc_bind_ipi(&w->a->d, VCPUS, &port), -XEN_ENOENT);
	assert_int_equal(port, 77);
	assert_int_equal(uc_ports_valid(&w->a->d), valid);
	every_operation_refuses(w->a, valid);
	assert_int_equal(uc_alloc_unbound(&w->a->d, ID_B, &port), 0);
	assert_int_equal(port, valid);
}

static void xsa_107_events_for_a_vcpu_without_control_block(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t ipi0, ipi2, moved;
	struct line l;

	start_2l(a);
	start_control(a, 1);
	add_page(a);
	assert_int_equal(uc_bind_ipi(&a->d, 0, &ipi0), 0);
	assert_int_equal(uc_bind_ipi(&a->d, 2, &ipi2), 0);
	moved = open_line(a, &l, 1);
	assert_int_equal(uc_bind_vcpu(&a->d, moved, 3), 0);
	assert_int_equal(uc_send(&a->d, ipi0), 0);
	assert_int_equal(uc_send(&a->d, ipi2), 0);
	raise_line(&l);
	assert_int_equal(run_all(a), 0);
	start_control(a, 0);
	start_control(a, 2);
	start_control(a, 3);
	assert_int_equal(run_all(a), 3);
	assert_string_equal(handled(a), "0:1 2:2 3:3");
}

static void xsa_188_operations_after_an_init_control_with_a_bad_frame(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct uc_port_info info;
	struct line l;
	uint32_t port;

	start_2l(a);
	port = open_line(a, &l, 0);
	assert_int_equal(uc_init_control(&a->d, 0, FRAME_NONE, 0), -XEN_EINVAL);
	assert_int_equal(uc_expand_array(&a->d, FRAME_EVENTS), -XEN_EOPNOTSUPP);
	assert_int_equal(uc_set_priority(&a->d, port, 1), -XEN_ENOSYS);
	assert_int_equal(uc_port_info(&a->d, port, &info), 0);
	assert_int_equal(uc_unmask(&a->d, port), 0);
	assert_int_equal(uc_bind_vcpu(&a->d, port, 0), 0);
	raise_line(&l);
	assert_int_equal(run_all(a), 1);
	assert_int_equal(uc_vcpu_handover(&a->vcpus[0]), 0);
	start_control(a, 0);
	assert_int_equal(add_page(a), 0);
	raise_line(&l);
	assert_int_equal(run_all(a), 1);
}

/* And on FIFO: a second init_control that fails leaves the first in place. */
static void xsa_188_a_bad_frame_for_one_vcpu_leaves_the_others_alone(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;

	start_2l(a);
	start_control(a, 0);
	add_page(a);
	open_line(a, &l, 0);
	assert_int_equal(uc_init_control(&a->d, 1, FRAME_NONE, 0), -XEN_EINVAL);
	assert_int_equal(uc_expand_array(&a->d, FRAME_NONE), -XEN_EINVAL);
	raise_line(&l);
	assert_int_equal(run_all(a), 1);
}

static void xsa_221_poll_of_ports_never_allocated(void **state)
{
	static const uint32_t edge[] = {8191, 8192, 0x1ffff, 0x20000, 0x7fffffff, UINT32_MAX};
	struct machine *a = ((struct world *)*state)->a;
	uint32_t ports[2];
	struct line l;

	start_2l(a);
	ports[0] = open_line(a, &l, 0);
	for (uint32_t port = ports[0] + 1; port <= 4096; port++) {
		ports[1] = port;
		assert_int_equal(uc_poll_begin(&a->vcpus[0], ports, 2), -XEN_EINVAL);
	}
	for (uint32_t i = 0; i < sizeof(edge) / sizeof(edge[0]); i++)
		assert_int_equal(uc_poll_begin(&a->vcpus[0], &edge[i], 1), -XEN_EINVAL);
	assert_int_equal(a->d.pollers, 0);
}

static void xsa_317_more_ports_than_the_2_level_abi_has(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t port, given = 0;

	start_2l(a);
	for (uint32_t i = 0; i < 4100; i++) {
		int rc = uc_alloc_unbound(&a->d, ID_B, &port);

		assert_true(rc == 0 || rc == -XEN_ENOSPC);
		assert_true(rc || port < UC_2L_PORTS);
		given += !rc;
	}
	assert_int_equal(given, UC_2L_PORTS - 1);
	assert_int_equal(uc_ports_valid(&a->d), UC_2L_PORTS);
	every_operation_refuses(a, UC_2L_PORTS);
}

static void xsa_338_a_port_once_valid_stays_valid(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct uc_port_info info;
	uint32_t port = 0, valid;

	start_2l(a);
	for (uint32_t i = 0; i < 600; i++)
		assert_int_equal(uc_bind_ipi(&a->d, 0, &port), 0);
	valid = uc_ports_valid(&a->d);
	for (uint32_t i = 1; i < valid; i++)
		assert_int_equal(uc_close(&a->d, i), 0);
	start_control(a, 0);
	assert_int_equal(uc_ports_valid(&a->d), valid);
	for (uint32_t i = 1; i < valid; i++) {
		assert_int_equal(uc_port_info(&a->d, i, &info), 0);
		assert_int_equal(info.kind, UC_PORT_FREE);
		assert_int_equal(uc_send(&a->d, i), -XEN_EINVAL);
		assert_int_equal(uc_unmask(&a->d, i), 0);
	}
}

/* A reader without a lock, while ports become valid: TSan has the last word on the ordering. */
static void *uses_all_numbers(void *arg)
{
	struct machine *a = arg;
	struct uc_port_info info;

	for (uint32_t round = 0; round < 20; round++) {
		for (uint32_t port = 0; port < 2000; port++) {
			if (!uc_port_info(&a->d, port, &info))
				uc_unmask(&a->d, port);
			if (!uc_poll_begin(&a->vcpus[0], &port, 1))
				uc_poll_end(&a->vcpus[0]);
			uc_send(&a->d, port);
		}
	}
	return NULL;
}

static void yield_to_the_other(void)
{
}

static void xsa_340_ports_used_by_number_while_they_become_valid(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	pthread_t reader;
	uint32_t port;

	a->world->on_relax = yield_to_the_other;
	start_2l(a);
	assert_int_equal(pthread_create(&reader, NULL, uses_all_numbers, a), 0);
	for (uint32_t i = 1; i < 2000; i++) {
		assert_int_equal(uc_bind_ipi(&a->d, i % VCPUS, &port), 0);
		assert_int_equal(port, i);
	}
	pthread_join(reader, NULL);
	for (uint32_t i = 1; i < 2000; i++)
		assert_int_equal(a->ports[i].route.vcpu, i % VCPUS);
}

static void xsa_496_a_bind_virq_without_a_free_port_undoes_nothing(void **state)
{
	struct world *w = *state;
	uint32_t timer, hers, argo, port;

	start_2l(w->a);
	start_2l(w->b);
	assert_int_equal(uc_bind_virq(&w->a->d, VIRQ_TIMER, 1, &timer), 0);
	assert_int_equal(uc_bind_virq(&w->a->d, VIRQ_ARGO, 0, &argo), 0);
	assert_int_equal(uc_bind_virq(&w->b->d, VIRQ_DEBUG, 0, &hers), 0);
	while (!uc_alloc_unbound(&w->a->d, ID_B, &port))
		;
	assert_int_equal(uc_bind_virq(&w->a->d, VIRQ_DEBUG, 0, &port), -XEN_ENOSPC);
	assert_int_equal(w->a->vcpus[0].virq_port[VIRQ_DEBUG], 0);
	w->a->gv[1].bound[0] |= 1ull << timer;
	w->a->gv[0].bound[0] |= 1ull << argo;
	w->b->gv[0].bound[0] |= 1ull << hers;
	assert_int_equal(uc_virq_raise(&w->a->vcpus[1], VIRQ_TIMER), 0);
	assert_int_equal(uc_virq_raise(&w->a->vcpus[0], VIRQ_ARGO), 0);
	assert_int_equal(uc_virq_raise(&w->a->vcpus[0], VIRQ_DEBUG), 0);
	assert_int_equal(uc_virq_raise(&w->b->vcpus[0], VIRQ_DEBUG), 0);
	assert_int_equal(run_all(w->a), 2);
	assert_int_equal(run_all(w->b), 1);
	assert_int_equal(uc_close(&w->a->d, 9), 0);
	assert_int_equal(uc_bind_virq(&w->a->d, VIRQ_DEBUG, 0, &port), 0);
	assert_int_equal(port, 9);
}

/* ---- races and mistakes without a number, by Xen's commits ---- */

static void race_70ccddb14a_ready_is_set_for_heads_only(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l[2];

	start_fifo(a, 1);
	open_line(a, &l[0], 0);
	open_line(a, &l[1], 0);
	raise_line(&l[0]);
	assert_int_equal(control_of(a, 0)->ready.raw, 1u << UC_FIFO_PRIORITY_DEFAULT);
	control_of(a, 0)->ready.raw = 0; /* taken, not consumed */
	raise_line(&l[1]);
	assert_int_equal(control_of(a, 0)->ready.raw, 0);
	assert_int_equal(control_of(a, 0)->head[UC_FIFO_PRIORITY_DEFAULT].raw, 1);
	assert_int_equal(consume(a, 0, 1u << UC_FIFO_PRIORITY_DEFAULT), 2);
}

static void race_470a160402_priority_is_reset_when_a_port_is_reused(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port;

	start_fifo(a, 1);
	port = open_line(a, &l, 0);
	assert_int_equal(uc_set_priority(&a->d, port, 2), 0);
	assert_int_equal(uc_close(&a->d, port), 0);
	uc_endpoint_close(&l.e);
	assert_int_equal(open_line(a, &l, 0), port);
	raise_line(&l);
	assert_int_equal(control_of(a, 0)->ready.raw, 1u << UC_FIFO_PRIORITY_DEFAULT);
	run_all(a);
}

static void race_917c123029_a_raise_without_a_page_is_not_lost(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;

	start_fifo(a, 0);
	open_line(a, &l, 2);
	raise_line(&l);
	raise_line(&l);
	assert_int_equal(run_all(a), 0);
	assert_int_equal(add_page(a), 0);
	assert_int_equal(run_all(a), 1);
	assert_string_equal(handled(a), "2:1");
}

/* Xen's mark was never cleared: a page that was added later replayed it. */
static void race_917c123029_a_raise_without_a_page_is_not_repeated(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;

	start_fifo(a, 0);
	open_line(a, &l, 0);
	raise_line(&l);
	assert_int_equal(uc_close(&a->d, 1), 0);
	uc_endpoint_close(&l.e);
	assert_int_equal(open_line(a, &l, 0), 1);
	assert_int_equal(add_page(a), 0);
	assert_int_equal(add_page(a), 0);
	assert_int_equal(run_all(a), 0);
	assert_int_equal(word(a, 1), 0);
}

static void race_78e24c269b_a_linked_port_is_not_reused(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l, next;

	start_fifo(a, 1);
	assert_int_equal(open_line(a, &l, 0), 1);
	raise_line(&l);
	assert_int_equal(uc_close(&a->d, 1), 0);
	assert_int_equal(open_line(a, &next, 1), 2);
	assert_int_equal(uc_close(&a->d, 2), 0);
	uc_endpoint_close(&l.e);
	uc_endpoint_close(&next.e);
	run_all(a); /* the guest unlinks it */
	assert_int_equal(open_line(a, &l, 1), 1);
}

static void race_d4bfa0c78f_poll_of_ports_that_are_not_usable(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t port, zero = 0;
	struct line l;

	start_fifo(a, 1);
	port = open_line(a, &l, 0);
	assert_int_equal(uc_close(&a->d, port), 0);
	assert_int_equal(uc_poll_begin(&a->vcpus[0], &port, 1), -XEN_EINVAL);
	assert_int_equal(uc_poll_begin(&a->vcpus[0], &zero, 1), -XEN_EINVAL);
	assert_int_equal(a->d.pollers, 0);
}

/* Pending with nobody to take it: it must be neither dropped nor keep later raises from linking. */
static void race_8aa0e9d2d1_pending_is_kept_for_a_control_block_to_come(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;

	start_2l(a);
	start_control(a, 1);
	add_page(a);
	open_line(a, &l, 2);
	raise_line(&l);
	assert_int_equal(word(a, 1), UC_FIFO_PENDING);
	assert_int_equal(uc_bind_vcpu(&a->d, 1, 1), 0);
	assert_int_equal(run_all(a), 1);
	raise_line(&l);
	assert_int_equal(run_all(a), 1);
	assert_string_equal(handled(a), "1:1 1:1");
}

/* One port in each page, its last: a bound that is a page too small would send it to word 0. */
static void race_3a6cb6aae4_each_port_has_its_own_word(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t port;

	start_fifo(a, PORTS / UC_FIFO_WORDS_PER_PAGE);
	for (uint32_t i = 1; i < PORTS; i++)
		assert_int_equal(uc_bind_ipi(&a->d, 0, &port), 0);
	for (port = UC_FIFO_WORDS_PER_PAGE - 1; port < PORTS; port += UC_FIFO_WORDS_PER_PAGE) {
		a->nr_log = 0;
		assert_int_equal(uc_send(&a->d, port), 0);
		assert_int_equal(word(a, port), UC_FIFO_PENDING | UC_FIFO_LINKED);
		assert_int_equal(word(a, 0), 0);
		assert_int_equal(run_all(a), 1);
		assert_int_equal(times_handled(a, port), 1);
	}
}

/* Word 0 and its neighbour, beyond what there is: parked, and no word is touched. */
static void race_3a6cb6aae4_a_port_beyond_the_last_page_has_none(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t port;

	start_fifo(a, 1);
	for (uint32_t i = 1; i < UC_FIFO_WORDS_PER_PAGE + 2; i++)
		assert_int_equal(uc_bind_ipi(&a->d, 0, &port), 0);
	assert_int_equal(uc_send(&a->d, UC_FIFO_WORDS_PER_PAGE), 0);
	assert_int_equal(word(a, 0), 0);
	assert_int_equal(word(a, UC_FIFO_WORDS_PER_PAGE), 0);
	assert_int_equal(add_page(a), 0);
	assert_int_equal(run_all(a), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(xsa_47_a_bind_that_is_refused_leaves_no_port_behind),
		TEST(xsa_107_events_for_a_vcpu_without_control_block),
		TEST(xsa_188_operations_after_an_init_control_with_a_bad_frame),
		TEST(xsa_188_a_bad_frame_for_one_vcpu_leaves_the_others_alone),
		TEST(xsa_221_poll_of_ports_never_allocated),
		TEST(xsa_317_more_ports_than_the_2_level_abi_has),
		TEST(xsa_338_a_port_once_valid_stays_valid),
		TEST(xsa_340_ports_used_by_number_while_they_become_valid),
		TEST(xsa_496_a_bind_virq_without_a_free_port_undoes_nothing),
		TEST(race_70ccddb14a_ready_is_set_for_heads_only),
		TEST(race_470a160402_priority_is_reset_when_a_port_is_reused),
		TEST(race_917c123029_a_raise_without_a_page_is_not_lost),
		TEST(race_917c123029_a_raise_without_a_page_is_not_repeated),
		TEST(race_78e24c269b_a_linked_port_is_not_reused),
		TEST(race_d4bfa0c78f_poll_of_ports_that_are_not_usable),
		TEST(race_8aa0e9d2d1_pending_is_kept_for_a_control_block_to_come),
		TEST(race_3a6cb6aae4_each_port_has_its_own_word),
		TEST(race_3a6cb6aae4_a_port_beyond_the_last_page_has_none),
	};

	return cmocka_run_group_tests_name("advisories", tests, NULL, NULL);
}
