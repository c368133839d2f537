/* SPDX-License-Identifier: MIT */
/* Advisories about EVTCHNOP_reset, 32-bit guests, VIRQ handlers and pirqs: see advisories.c. */
#include "fixture.h"

#include <upcall/route.h>
#include <xen/errno.h>
#include <xen/xen.h>

#include <xen/event_channel.h>

static struct machine *boot(void **state)
{
	struct machine *a = ((struct world *)*state)->a;

	start_fifo(a, 1);
	open_ipis(a);
	return a;
}

static void xsa_338_a_port_stays_valid_over_a_reset(void **state)
{
	struct machine *a = boot(state);
	uint32_t port, valid;
	struct uc_port_info info;

	for (uint32_t i = 0; i < 600; i++)
		assert_int_equal(uc_bind_ipi(&a->d, 0, &port), 0);
	valid = uc_ports_valid(&a->d);
	assert_int_equal(reset_all(a), 0);
	assert_int_equal(uc_ports_valid(&a->d), valid);
	for (port = 1; port < valid; port++) {
		assert_int_equal(uc_port_info(&a->d, port, &info), 0);
		assert_int_equal(info.kind, UC_PORT_FREE);
		assert_int_equal(uc_send(&a->d, port), -XEN_EINVAL);
		assert_int_equal(uc_unmask(&a->d, port), 0);
	}
}

static void xsa_342_a_32_bit_guest_has_no_port_from_1024_on(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t port, given = 0;

	start_2l(a);
	assert_int_equal(uc_domain_set_compat(&a->d, true), 0);
	while (!uc_alloc_unbound(&a->d, ID_B, &port)) {
		assert_true(port < UC_2L_COMPAT_PORTS);
		given++;
	}
	assert_int_equal(given, UC_2L_COMPAT_PORTS - 1);
}

static void xsa_342_a_guest_with_more_ports_does_not_become_a_32_bit_one(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t port;

	start_2l(a);
	for (uint32_t i = 0; i < UC_2L_COMPAT_PORTS; i++)
		assert_int_equal(uc_bind_ipi(&a->d, 0, &port), 0);
	assert_int_equal(uc_domain_set_compat(&a->d, true), -XEN_EBUSY);
	assert_int_equal(uc_send(&a->d, UC_2L_COMPAT_PORTS), 0);
	assert_int_equal(shared_of(a)->pending[UC_2L_COMPAT_PORTS / 64].raw, 1);
}

/* What is written for the last port is where a 32-bit guest has it, and nothing behind it is. */
static void xsa_342_a_32_bit_guests_last_port_touches_its_own_bit_only(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t port;

	start_2l(a);
	assert_int_equal(uc_domain_set_compat(&a->d, true), 0);
	for (uint32_t i = 1; i < UC_2L_COMPAT_PORTS; i++)
		assert_int_equal(uc_bind_ipi(&a->d, 0, &port), 0);
	assert_int_equal(uc_send(&a->d, UC_2L_COMPAT_PORTS - 1), 0);
	for (uint32_t i = 0; i < 256; i++)
		assert_int_equal(shared_of(a)->bits[i].raw, i == 31 ? 1u << 31 : 0);
}

static void xsa_343_a_reset_that_succeeds_left_nothing_open(void **state)
{
	struct machine *a = boot(state);
	struct uc_port_info info;
	struct line l;
	uint32_t kept = open_line(a, &l, 0);

	assert_int_equal(reset_all(a), 0);
	for (uint32_t port = 1; port < uc_ports_valid(&a->d); port++) {
		assert_int_equal(uc_port_info(&a->d, port, &info), 0);
		assert_int_equal(info.kind, port == kept ? UC_PORT_HOST : UC_PORT_FREE);
	}
	assert_false(uc_domain_is_fifo(&a->d));
}

static void xsa_343_a_port_opened_during_a_reset_is_told(void **state)
{
	struct machine *a = boot(state);
	uint32_t port;

	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(uc_bind_ipi(&a->d, 0, &port), 0);
	assert_int_equal(uc_reset(&a->d, false), 1);
	assert_int_equal(uc_bind_ipi(&a->d, 1, &port), 0);
	while (uc_reset(&a->d, true) == 1)
		;
	assert_true(uc_domain_is_fifo(&a->d));
	assert_int_equal(uc_send(&a->d, port), 0);
	assert_int_equal(run_all(a), 1);
}

/* 900 ports in pieces, each of which closes a bounded number; nobody else may reset meanwhile. */
static void xsa_344_a_reset_comes_in_bounded_pieces(void **state)
{
	struct machine *a = boot(state);
	uint32_t port, before, most = 0, calls = 1;
	int rc;

	for (uint32_t i = 0; i < 900; i++)
		assert_int_equal(uc_bind_ipi(&a->d, 0, &port), 0);
	for (rc = uc_reset(&a->d, false); rc == 1; calls++) {
		assert_int_equal(uc_reset(&a->d, false), -XEN_EBUSY);
		before = a->d.open_ports;
		rc = uc_reset(&a->d, true);
		if (before - a->d.open_ports > most)
			most = before - a->d.open_ports;
	}
	assert_int_equal(rc, 0);
	assert_true(most > 0 && most <= 64);
	assert_true(calls >= 900 / 64);
	assert_int_equal(uc_reset(&a->d, true), -XEN_EBUSY);
	assert_int_equal(a->d.open_ports, 0);
}

static void xsa_505_no_page_is_added_to_a_guest_that_was_reset(void **state)
{
	struct machine *a = boot(state);

	assert_int_equal(reset_all(a), 0);
	assert_int_equal(uc_expand_array(&a->d, FRAME_EVENTS), -XEN_EOPNOTSUPP);
	assert_int_equal(a->d.nr_words, 0);
	assert_int_equal(a->maps[FRAME_EVENTS], 0);
}

static void xsa_496_a_bind_virq_that_fails_leaves_the_handler_of_a_global_one(void **state)
{
	struct world *w = *state;
	uint32_t exc, port;

	start_2l(w->a);
	start_2l(w->b);
	assert_int_equal(uc_host_set_virq_handler(&w->host, VIRQ_DOM_EXC, ID_B), 0);
	assert_int_equal(uc_bind_virq(&w->b->d, VIRQ_DOM_EXC, 0, &exc), 0);
	w->b->gv[0].bound[0] |= 1ull << exc;
	while (!uc_alloc_unbound(&w->a->d, ID_B, &port))
		;
	assert_int_equal(uc_bind_virq(&w->a->d, VIRQ_DEBUG, 0, &port), -XEN_ENOSPC);
	assert_int_equal(uc_bind_virq(&w->a->d, VIRQ_DOM_EXC, 0, &port), -XEN_EBUSY);
	assert_int_equal(w->host.virq_handler[VIRQ_DOM_EXC], ID_B);
	assert_int_equal(uc_global_virq_raise(&w->host, VIRQ_DOM_EXC), 0);
	assert_int_equal(run_all(w->b), 1);
}

static void race_e301a706eb_a_pirq_is_unlinked_when_its_port_is_closed(void **state)
{
	struct machine *a = boot(state);
	struct line l;
	uint32_t port, again;

	assert_int_equal(uc_bind_pirq(&a->d, 2, &port), 0);
	assert_int_equal(uc_close(&a->d, port), 0);
	assert_int_equal(open_line(a, &l, 0), port);
	assert_int_equal(uc_pirq_raise(&a->d, 2), 0);
	assert_int_equal(run_all(a), 0);
	assert_int_equal(uc_bind_pirq(&a->d, 2, &again), 0);
	assert_int_equal(uc_pirq_raise(&a->d, 2), 0);
	assert_int_equal(run_all(a), 1);
	assert_int_equal(times_handled(a, again), 1);
}

static void xsa_360_pirqs_are_free_after_a_reset(void **state)
{
	struct machine *a = boot(state);
	uint32_t port;

	for (uint32_t pirq = 1; pirq < PIRQS; pirq++)
		assert_int_equal(uc_bind_pirq(&a->d, pirq, &port), 0);
	assert_int_equal(reset_all(a), 0);
	for (uint32_t pirq = 1; pirq < PIRQS; pirq++) {
		assert_int_equal(a->pirqs[pirq].port, 0);
		assert_int_equal(uc_bind_pirq(&a->d, pirq, &port), 0);
	}
}

/* PHYSDEVOP_map_pirq's indices are the host's business; a pirq's number is checked here. */
static void xsa_16_a_pirq_beyond_the_last_is_refused(void **state)
{
	static const uint32_t bad[] = {PIRQS, PIRQS + 1, 0x7fffffff, 0x80000000, UINT32_MAX};
	struct machine *a = boot(state);
	uint32_t port;
	bool needs;

	for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(uc_bind_pirq(&a->d, bad[i], &port), -XEN_EINVAL);
		assert_int_equal(uc_pirq_raise(&a->d, bad[i]), -XEN_EINVAL);
		assert_int_equal(uc_pirq_set_level(&a->d, bad[i], true), -XEN_EINVAL);
		assert_int_equal(uc_pirq_eoi(&a->d, bad[i]), -XEN_EINVAL);
		assert_int_equal(uc_pirq_needs_eoi(&a->d, bad[i], &needs), -XEN_EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(xsa_338_a_port_stays_valid_over_a_reset),
		TEST(xsa_342_a_32_bit_guest_has_no_port_from_1024_on),
		TEST(xsa_342_a_guest_with_more_ports_does_not_become_a_32_bit_one),
		TEST(xsa_342_a_32_bit_guests_last_port_touches_its_own_bit_only),
		TEST(xsa_343_a_reset_that_succeeds_left_nothing_open),
		TEST(xsa_343_a_port_opened_during_a_reset_is_told),
		TEST(xsa_344_a_reset_comes_in_bounded_pieces),
		TEST(xsa_505_no_page_is_added_to_a_guest_that_was_reset),
		TEST(xsa_496_a_bind_virq_that_fails_leaves_the_handler_of_a_global_one),
		TEST(race_e301a706eb_a_pirq_is_unlinked_when_its_port_is_closed),
		TEST(xsa_360_pirqs_are_free_after_a_reset),
		TEST(xsa_16_a_pirq_beyond_the_last_is_refused),
	};

	return cmocka_run_group_tests_name("advisories, reset", tests, NULL, NULL);
}
