/* SPDX-License-Identifier: MIT */
/*
 * Which vCPU gets an event: the policies, the affinity sets, and that per-vCPU ports know neither.
 *
 * Machine a has memory for sets, b has none. vCPUs are live by an IPI each (ports 1 to VCPUS).
 */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <upcall/route.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/xen.h>

static uint32_t start(struct machine *m, struct line *l, enum uc_policy policy)
{
	start_fifo(m, 1);
	open_ipis(m);
	assert_int_equal(uc_domain_set_policy(&m->d, policy), 0);
	return open_line(m, l, 0);
}

/* The vCPU that handled the only event of one raise. */
static uint32_t raise_and_see(struct machine *m, struct line *l)
{
	m->nr_log = 0;
	raise_line(l);
	run_all(m);
	assert_int_equal(m->nr_log, 1);
	assert_int_equal(m->log[0].port, l->e.port);
	m->nr_log = 0;
	return m->log[0].vcpu;
}

static void shares_of(struct machine *m, struct line *l, uint32_t nr_lines, uint32_t raises,
		      uint32_t share[VCPUS])
{
	memset(share, 0, VCPUS * sizeof(*share));
	for (uint32_t i = 0; i < raises; i++)
		share[raise_and_see(m, &l[i % nr_lines])]++;
}

static void all_preempted(struct machine *m)
{
	for (uint32_t v = 0; v < VCPUS; v++) {
		m->state[v] = UC_VCPU_PREEMPTED;
		m->since[v] = 100 + v;
	}
}

static int allow(struct machine *m, uint32_t port, uint64_t set)
{
	return uc_port_set_affinity(&m->d, port, &set);
}

static int allow_all(struct machine *m, uint64_t set)
{
	return uc_domain_set_affinity(&m->d, &set);
}

/* ---- names and switching ---- */

static void policies_have_names(void **state)
{
	(void)state;
	assert_string_equal(uc_policy_name(UC_POLICY_PINNED), "pinned");
	assert_string_equal(uc_policy_name(UC_POLICY_FOLLOW), "follow");
	assert_string_equal(uc_policy_name(UC_POLICY_ROUND_ROBIN), "round-robin");
	assert_string_equal(uc_policy_name(UC_POLICY_RANDOM), "random");
	assert_null(uc_policy_name(UC_POLICIES));
}

static void a_2_level_domain_is_pinned_only(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port;

	start_2l(a);
	port = open_line(a, &l, 0);
	for (int p = UC_POLICY_FOLLOW; p < UC_POLICIES; p++) {
		assert_int_equal(uc_domain_set_policy(&a->d, p), -XEN_EOPNOTSUPP);
		assert_int_equal(uc_port_set_policy(&a->d, port, p), -XEN_EOPNOTSUPP);
	}
	assert_int_equal(uc_domain_set_policy(&a->d, UC_POLICY_PINNED), 0);
	assert_int_equal(uc_port_set_policy(&a->d, port, UC_POLICY_PINNED), 0);
	assert_int_equal(uc_port_set_policy(&a->d, port, UC_POLICIES), 0);
	assert_int_equal(allow(a, port, 1), -XEN_EOPNOTSUPP);
}

static void bad_policies_and_ports_are_refused(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port = start(a, &l, UC_POLICY_PINNED);

	assert_int_equal(uc_domain_set_policy(&a->d, UC_POLICIES), -XEN_EINVAL);
	assert_int_equal(uc_port_set_policy(&a->d, port, UC_POLICIES + 1), -XEN_EINVAL);
	assert_int_equal(uc_port_set_policy(&a->d, 0, UC_POLICY_FOLLOW), -XEN_EINVAL);
	assert_int_equal(uc_port_set_policy(&a->d, port + 1, UC_POLICY_FOLLOW), -XEN_EINVAL);
	assert_int_equal(allow(a, port + 1, 1), -XEN_EINVAL);
	assert_int_equal(allow(a, UINT32_MAX, 1), -XEN_EINVAL);
	assert_int_equal(uc_close(&a->d, port), 0);
	assert_int_equal(uc_port_set_policy(&a->d, port, UC_POLICY_FOLLOW), -XEN_EINVAL);
	assert_int_equal(allow(a, port, 1), -XEN_EINVAL);
}

static void a_port_has_the_domains_policy_until_it_has_its_own(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l, other;
	uint32_t port = start(a, &l, UC_POLICY_PINNED);

	open_line(a, &other, 0);
	assert_int_equal(uc_port_policy(&a->d, port), UC_POLICY_PINNED);
	assert_int_equal(uc_domain_set_policy(&a->d, UC_POLICY_ROUND_ROBIN), 0);
	assert_int_equal(uc_port_policy(&a->d, port), UC_POLICY_ROUND_ROBIN);
	assert_int_equal(uc_port_set_policy(&a->d, port, UC_POLICY_PINNED), 0);
	for (uint32_t i = 1; i <= 4; i++) {
		assert_int_equal(raise_and_see(a, &l), 0);
		assert_int_equal(raise_and_see(a, &other), i % VCPUS);
	}
	assert_int_equal(uc_port_set_policy(&a->d, port, UC_POLICIES), 0);
	assert_int_equal(uc_port_policy(&a->d, port), UC_POLICY_ROUND_ROBIN);
	assert_int_equal(raise_and_see(a, &l), 1);
}

/* Also when it is where the guest wants it, and all others are pinned. */
static void a_ports_own_policy_takes_it_away_from_home(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port = start(a, &l, UC_POLICY_PINNED);

	assert_int_equal(raise_and_see(a, &l), 0);
	all_preempted(a);
	a->state[1] = UC_VCPU_RUNNING;
	assert_int_equal(raise_and_see(a, &l), 0);
	assert_int_equal(uc_port_set_policy(&a->d, port, UC_POLICY_FOLLOW), 0);
	assert_int_equal(raise_and_see(a, &l), 1);
}

static void a_reopened_port_has_the_domains_policy_and_set(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port = start(a, &l, UC_POLICY_PINNED);

	assert_int_equal(uc_port_set_policy(&a->d, port, UC_POLICY_FOLLOW), 0);
	assert_int_equal(allow(a, port, 4), 0);
	assert_int_equal(raise_and_see(a, &l), 2);
	assert_int_equal(uc_close(&a->d, port), 0);
	assert_int_equal(open_line(a, &l, 0), port);
	assert_int_equal(uc_port_policy(&a->d, port), UC_POLICY_PINNED);
	for (uint32_t v = 0; v < VCPUS; v++)
		assert_true(uc_port_may_use(&a->d, port, v));
	assert_int_equal(raise_and_see(a, &l), 0);
}

/* ---- the policies ---- */

static void pinned_is_the_vcpu_that_the_guest_bound(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port = start(a, &l, UC_POLICY_PINNED);

	for (uint32_t v = 0; v < VCPUS; v++) {
		all_preempted(a);
		a->state[(v + 1) % VCPUS] = UC_VCPU_RUNNING;
		assert_int_equal(uc_bind_vcpu(&a->d, port, v), 0);
		assert_int_equal(raise_and_see(a, &l), v);
	}
}

static void follow_goes_to_who_runs(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;

	start(a, &l, UC_POLICY_FOLLOW);
	for (uint32_t i = 0; i < 3 * VCPUS; i++) {
		uint32_t v = i * 3 % VCPUS;

		all_preempted(a);
		a->state[(v + 1) % VCPUS] = UC_VCPU_BLOCKED;
		a->state[v] = UC_VCPU_RUNNING;
		assert_int_equal(raise_and_see(a, &l), v);
	}
}

static void follow_stays_where_it_was_while_that_runs(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;

	start(a, &l, UC_POLICY_FOLLOW);
	all_preempted(a);
	a->state[2] = UC_VCPU_RUNNING;
	assert_int_equal(raise_and_see(a, &l), 2);
	memset(a->state, 0, sizeof(a->state)); /* all run */
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(raise_and_see(a, &l), 2);
}

static void follow_wakes_a_blocked_one_when_none_runs(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;

	start(a, &l, UC_POLICY_FOLLOW);
	all_preempted(a);
	a->state[3] = UC_VCPU_BLOCKED;
	assert_int_equal(raise_and_see(a, &l), 3);
	a->state[3] = UC_VCPU_PREEMPTED;
	a->state[1] = UC_VCPU_BLOCKED;
	assert_int_equal(raise_and_see(a, &l), 1);
}

static void follow_takes_who_waits_longest_when_all_are_preempted(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;

	start(a, &l, UC_POLICY_FOLLOW);
	for (uint32_t v = 0; v < VCPUS; v++) {
		all_preempted(a);
		a->since[v] = 7;
		assert_int_equal(raise_and_see(a, &l), v);
	}
}

static void follow_prefers_the_less_loaded_of_equals(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;

	start(a, &l, UC_POLICY_FOLLOW);
	all_preempted(a);
	a->state[1] = a->state[2] = UC_VCPU_RUNNING;
	a->vcpus[1].load = 20;
	a->vcpus[2].load = 10;
	assert_int_equal(raise_and_see(a, &l), 2);
}

/* The aim of the project: within twice each other among equally running vCPUs. */
static void follow_is_balanced(struct machine *a, uint32_t nr_lines)
{
	struct line l[8];
	uint32_t share[VCPUS], least = UINT32_MAX, most = 0;

	start(a, &l[0], UC_POLICY_FOLLOW);
	for (uint32_t i = 1; i < nr_lines; i++)
		open_line(a, &l[i], 0);
	shares_of(a, l, nr_lines, 40000, share);
	for (uint32_t v = 0; v < VCPUS; v++) {
		least = share[v] < least ? share[v] : least;
		most = share[v] > most ? share[v] : most;
	}
	print_message("%u port(s): %u %u %u %u\n", nr_lines, share[0], share[1], share[2],
		      share[3]);
	assert_true(most <= 2 * least);
	for (uint32_t v = 0; v < VCPUS; v++)
		assert_in_range(a->vcpus[v].load, 1, 256); /* the past is forgotten by halves */
	assert_in_range(a->d.load_mean, 1, 256);
}

static void follow_balances_one_busy_port(void **state)
{
	follow_is_balanced(((struct world *)*state)->a, 1);
}

static void follow_balances_several_busy_ports(void **state)
{
	follow_is_balanced(((struct world *)*state)->a, 5);
}

/* Sticky: a port does not hop from raise to raise, however long the balance takes. */
static void follow_hops_rarely(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t last, now, hops = 0;
	struct line l;

	start(a, &l, UC_POLICY_FOLLOW);
	last = raise_and_see(a, &l);
	for (uint32_t i = 0; i < 20000; i++, last = now) {
		now = raise_and_see(a, &l);
		hops += now != last;
	}
	print_message("%u hops in 20000 raises\n", hops);
	assert_true(hops < 20000 / 50);
}

static void round_robin_takes_turns(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port = start(a, &l, UC_POLICY_ROUND_ROBIN);

	all_preempted(a); /* and cares for nothing else */
	for (uint32_t i = 1; i <= 12; i++)
		assert_int_equal(raise_and_see(a, &l), i % VCPUS);
	assert_int_equal(allow(a, port, 0xa), 0);
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(raise_and_see(a, &l), i % 2 ? 3 : 1);
}

static void random_reaches_all_alike(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t share[VCPUS];
	struct line l;

	start(a, &l, UC_POLICY_RANDOM);
	all_preempted(a);
	shares_of(a, &l, 1, 8000, share);
	for (uint32_t v = 0; v < VCPUS; v++)
		assert_in_range(share[v], 1800, 2200);
}

static void without_run_state_all_are_running(void **state)
{
	struct world *w = *state;
	const struct uc_host_ops *whole = w->host.ops;
	struct uc_host_ops ops = *whole;
	struct line l;

	ops.run_state = NULL;
	w->host.ops = &ops;
	start(w->a, &l, UC_POLICY_FOLLOW);
	all_preempted(w->a);
	assert_int_equal(raise_and_see(w->a, &l), 0);
	w->a->vcpus[0].load = 200;
	assert_int_equal(raise_and_see(w->a, &l), 1);
	w->host.ops = whole;
}

/* ---- liveness ---- */

static void only_live_vcpus_get_events(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;

	for (int p = UC_POLICY_FOLLOW; p < UC_POLICIES; p++) {
		struct world *w = world_create();

		a = w->a;
		start(a, &l, p);
		assert_int_equal(uc_close(&a->d, 1 + 0), 0); /* the IPIs of vCPUs 0 and 3 */
		assert_int_equal(uc_close(&a->d, 1 + 3), 0);
		assert_false(uc_vcpu_is_live(&a->vcpus[0]));
		assert_true(uc_vcpu_is_live(&a->vcpus[1]));
		all_preempted(a);
		a->state[0] = a->state[3] = UC_VCPU_RUNNING;
		for (uint32_t i = 0; i < 50; i++)
			assert_in_range(raise_and_see(a, &l), 1, 2);
		world_destroy(w);
	}
}

static void a_vcpu_without_control_block_is_not_live(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port;

	start_2l(a);
	start_control(a, 0);
	start_control(a, 1);
	assert_int_equal(add_page(a), 0);
	open_ipis(a);
	assert_int_equal(uc_domain_set_policy(&a->d, UC_POLICY_ROUND_ROBIN), 0);
	open_line(a, &l, 0);
	for (uint32_t i = 1; i < 9; i++)
		assert_int_equal(raise_and_see(a, &l), i % 2);
	start_control(a, 2);
	assert_true(uc_vcpu_is_live(&a->vcpus[2]));
	assert_int_equal(raise_and_see(a, &l), 1);
	assert_int_equal(raise_and_see(a, &l), 2);
	assert_int_equal(uc_bind_virq(&a->d, VIRQ_TIMER, 3, &port), 0);
	assert_false(uc_vcpu_is_live(&a->vcpus[3]));
}

static void any_per_vcpu_port_makes_live_and_the_last_one_counts(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t ipi, timer, argo;

	start_fifo(a, 1);
	assert_int_equal(uc_bind_virq(&a->d, VIRQ_ARGO, 0, &argo), 0);
	assert_false(uc_vcpu_is_live(&a->vcpus[0])); /* a per-OS VIRQ says nothing about vCPU 0 */
	assert_int_equal(uc_bind_ipi(&a->d, 2, &ipi), 0);
	assert_int_equal(uc_bind_virq(&a->d, VIRQ_TIMER, 2, &timer), 0);
	assert_true(uc_vcpu_is_live(&a->vcpus[2]));
	assert_int_equal(uc_close(&a->d, ipi), 0);
	assert_true(uc_vcpu_is_live(&a->vcpus[2]));
	assert_int_equal(uc_close(&a->d, timer), 0);
	assert_false(uc_vcpu_is_live(&a->vcpus[2]));
	assert_int_equal(uc_bind_ipi(&a->d, 2, &ipi), 0);
	assert_true(uc_vcpu_is_live(&a->vcpus[2]));
	assert_int_equal(uc_close(&a->d, argo), 0);
	assert_true(uc_vcpu_is_live(&a->vcpus[2]));
}

static void with_no_live_vcpu_the_bound_one_gets_it(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;

	for (int p = UC_POLICY_PINNED; p < UC_POLICIES; p++) {
		struct world *w = world_create();

		a = w->a;
		start_fifo(a, 1);
		assert_int_equal(uc_domain_set_policy(&a->d, p), 0);
		open_line(a, &l, 2);
		assert_int_equal(raise_and_see(a, &l), 2);
		assert_int_equal(raise_and_see(a, &l), 2);
		world_destroy(w);
	}
}

/* ---- per-vCPU ports ---- */

/* Port `port` must come on `vcpu`, whatever the others do. */
static void stays_under_every_policy(struct machine *a, uint32_t port, uint32_t vcpu)
{
	for (int p = 0; p < UC_POLICIES; p++) {
		assert_int_equal(uc_domain_set_policy(&a->d, p), 0);
		assert_int_equal(uc_port_set_policy(&a->d, port, p), -XEN_EINVAL);
		assert_int_equal(uc_port_policy(&a->d, port), UC_POLICY_PINNED);
		for (uint32_t running = 0; running < VCPUS; running++) {
			all_preempted(a);
			a->since[vcpu] = 1000;
			a->state[running] = UC_VCPU_RUNNING;
			a->nr_log = 0;
			if (uc_send(&a->d, port))
				assert_int_equal(uc_virq_raise(&a->vcpus[vcpu], VIRQ_TIMER), 0);
			uc_vcpu_handover(&a->vcpus[vcpu]);
			run_all(a);
			assert_int_equal(a->nr_log, 1);
			assert_int_equal(a->log[0].port, port);
			assert_int_equal(a->log[0].vcpu, vcpu);
		}
	}
}

static void per_vcpu_ports_never_move(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t timer;
	struct line l;

	start(a, &l, UC_POLICY_FOLLOW);
	assert_int_equal(uc_bind_virq(&a->d, VIRQ_TIMER, 3, &timer), 0);
	assert_int_equal(allow(a, 3, 1), -XEN_EINVAL); /* IPI of vCPU 2 */
	assert_int_equal(allow(a, timer, 1), -XEN_EINVAL);
	assert_int_equal(uc_port_set_affinity(&a->d, timer, NULL), -XEN_EINVAL);
	assert_int_equal(uc_port_set_policy(&a->d, timer, UC_POLICIES), -XEN_EINVAL);
	assert_int_equal(allow_all(a, 1), 0); /* not even for the domain's set */
	assert_true(uc_port_may_use(&a->d, 3, 2));
	stays_under_every_policy(a, 3, 2);
	stays_under_every_policy(a, timer, 3);
}

/* A number that was a per-OS port with a set of its own becomes an IPI, and the other way round. */
static void a_number_may_change_its_kind(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t port, ipi;
	struct line l;

	port = start(a, &l, UC_POLICY_ROUND_ROBIN);
	assert_int_equal(allow(a, port, 2), 0);
	assert_int_equal(raise_and_see(a, &l), 1);
	assert_int_equal(uc_close(&a->d, port), 0);
	uc_endpoint_close(&l.e);
	assert_int_equal(uc_bind_ipi(&a->d, 3, &ipi), 0);
	assert_int_equal(ipi, port);
	stays_under_every_policy(a, ipi, 3);
	assert_int_equal(uc_close(&a->d, ipi), 0);
	assert_int_equal(open_line(a, &l, 0), port);
	assert_int_equal(uc_domain_set_policy(&a->d, UC_POLICY_ROUND_ROBIN), 0);
	assert_int_equal(raise_and_see(a, &l), 0); /* the turn after vCPU 3 */
	assert_int_equal(raise_and_see(a, &l), 1);
}

/* ---- affinity ---- */

static void every_policy_keeps_the_set(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;

	for (int p = 0; p < UC_POLICIES; p++) {
		struct world *w = world_create();
		uint32_t port;

		a = w->a;
		port = start(a, &l, p);
		for (uint64_t set = 1; set < 1u << VCPUS; set++) {
			assert_int_equal(allow(a, port, set), 0);
			for (uint32_t i = 0; i < 4 * VCPUS; i++) {
				all_preempted(a);
				a->state[i % VCPUS] = UC_VCPU_RUNNING;
				a->state[i / VCPUS] = UC_VCPU_BLOCKED;
				assert_true((set >> raise_and_see(a, &l)) & 1);
			}
			for (uint32_t v = 0; v < VCPUS; v++)
				assert_int_equal(uc_port_may_use(&a->d, port, v), (set >> v) & 1);
		}
		world_destroy(w);
	}
}

static void pinned_outside_the_set_takes_the_next_inside(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port = start(a, &l, UC_POLICY_PINNED);

	assert_int_equal(uc_bind_vcpu(&a->d, port, 2), 0);
	assert_int_equal(allow(a, port, 0x3), 0);
	assert_int_equal(raise_and_see(a, &l), 0);
	assert_int_equal(allow(a, port, 0xa), 0);
	assert_int_equal(raise_and_see(a, &l), 3);
	assert_int_equal(allow(a, port, 0x4), 0);
	assert_int_equal(raise_and_see(a, &l), 2);
}

static void empty_and_offline_sets_are_refused(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port = start(a, &l, UC_POLICY_FOLLOW);

	assert_int_equal(allow(a, port, 0x2), 0);
	assert_int_equal(allow(a, port, 0), -XEN_EINVAL);
	assert_int_equal(allow(a, port, ~0xfull), -XEN_EINVAL); /* no such vCPUs */
	assert_int_equal(allow_all(a, 0), -XEN_EINVAL);
	assert_int_equal(allow_all(a, 1ull << VCPUS), -XEN_EINVAL);
	assert_int_equal(uc_close(&a->d, 1 + 2), 0);
	assert_int_equal(uc_close(&a->d, 1 + 3), 0);
	assert_int_equal(allow(a, port, 0xc), -XEN_ENODEV);
	assert_int_equal(allow_all(a, 0xc), -XEN_ENODEV);
	assert_true(uc_port_may_use(&a->d, 1 + VCPUS + 1, 0)); /* one without a set of its own */
	assert_int_equal(raise_and_see(a, &l), 1);	       /* as before */
	assert_int_equal(allow(a, port, 0x9), 0);
	assert_int_equal(raise_and_see(a, &l), 0);
}

static void null_gives_back_the_domains_set(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l, own;
	uint32_t port = start(a, &l, UC_POLICY_ROUND_ROBIN);

	open_line(a, &own, 0);
	assert_int_equal(allow_all(a, 0x6), 0);
	assert_int_equal(allow(a, own.e.port, 0x8), 0);
	for (uint32_t i = 0; i < 6; i++) {
		assert_in_range(raise_and_see(a, &l), 1, 2);
		assert_int_equal(raise_and_see(a, &own), 3);
	}
	assert_int_equal(uc_port_set_affinity(&a->d, own.e.port, NULL), 0);
	for (uint32_t i = 0; i < 6; i++)
		assert_in_range(raise_and_see(a, &own), 1, 2);
	assert_int_equal(uc_domain_set_affinity(&a->d, NULL), 0);
	for (uint32_t v = 0; v < VCPUS; v++)
		assert_true(uc_port_may_use(&a->d, port, v));
	raise_and_see(a, &l); /* from 1 or 2 the turn passes 3 */
	raise_and_see(a, &l);
	raise_and_see(a, &own);
	assert_true(uc_vcpu_linked(&a->vcpus[3]) > 6);
}

/* A host gives it before the guest boots: nobody is live, and the domain is not FIFO yet. */
static void the_domains_set_may_come_first(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;

	assert_int_equal(allow_all(a, 0x8), 0);
	start(a, &l, UC_POLICY_PINNED);
	assert_int_equal(raise_and_see(a, &l), 3);
}

static void a_raise_for_a_set_not_yet_live_is_not_lost(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port;

	assert_int_equal(allow_all(a, 0x8), 0);
	start_2l(a);
	start_control(a, 1);
	assert_int_equal(add_page(a), 0);
	open_line(a, &l, 2);
	raise_line(&l); /* vCPU 3 is not live; bound to 2, which has no control block */
	assert_int_equal(run_all(a), 0);
	start_control(a, 2);
	assert_int_equal(run_all(a), 1);
	start_control(a, 3);
	assert_int_equal(uc_bind_ipi(&a->d, 3, &port), 0);
	assert_int_equal(raise_and_see(a, &l), 3);
}

static void when_the_whole_set_goes_offline_the_bound_vcpu_gets_it(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;

	for (int p = 0; p < UC_POLICIES; p++) {
		struct world *w = world_create();
		uint32_t port;

		a = w->a;
		port = start(a, &l, p);
		assert_int_equal(allow(a, port, 0xc), 0);
		assert_in_range(raise_and_see(a, &l), 2, 3);
		assert_int_equal(uc_bind_vcpu(&a->d, port, 1), 0);
		assert_int_equal(uc_close(&a->d, 1 + 2), 0);
		assert_int_equal(uc_close(&a->d, 1 + 3), 0);
		assert_int_equal(raise_and_see(a, &l), 1);
		assert_int_equal(uc_bind_ipi(&a->d, 2, &port), 0);
		assert_int_equal(raise_and_see(a, &l), 2);
		world_destroy(w);
	}
}

static void without_memory_for_sets_there_are_none(void **state)
{
	struct machine *b = ((struct world *)*state)->b;
	struct line l;
	uint32_t port = start(b, &l, UC_POLICY_ROUND_ROBIN);

	assert_int_equal(allow(b, port, 1), -XEN_EOPNOTSUPP);
	assert_int_equal(uc_port_set_affinity(&b->d, port, NULL), -XEN_EOPNOTSUPP);
	assert_int_equal(allow_all(b, 1), -XEN_EOPNOTSUPP);
	for (uint32_t i = 1; i < 9; i++)
		assert_int_equal(raise_and_see(b, &l), i % VCPUS);
}

/* ---- priorities keep ---- */

static void a_moving_port_keeps_its_priority(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port = start(a, &l, UC_POLICY_ROUND_ROBIN);

	assert_int_equal(uc_set_priority(&a->d, port, 3), 0);
	for (uint32_t i = 1; i < 6; i++) {
		raise_line(&l);
		assert_int_equal(uc_vcpu_untaken(&a->vcpus[i % VCPUS]), 1u << 3);
		run_all(a);
	}
	assert_int_equal(uc_port_policy(&a->d, port), UC_POLICY_ROUND_ROBIN);
}

/* ---- many vCPUs ---- */

#define MANY	    130u
#define MANY_PORTS  256u
#define MANY_WORDS  ((MANY + 63) / 64)
#define MANY_FRAMES (MANY + 2)

static struct many {
	struct uc_domain d;
	struct uc_vcpu vcpus[MANY];
	struct uc_port ports[MANY_PORTS];
	struct uc_domain *domains[2];
	uint64_t affinity[(MANY_PORTS + 2) * MANY_WORDS];
	uint8_t frames[MANY_FRAMES][UC_FRAME_SIZE] __attribute__((aligned(4096)));
	uint32_t running; /* the only one */
	uint32_t port;
	struct line l;
} many;

static void *many_map(void *ctx, struct uc_domain *d, uint64_t gfn)
{
	(void)ctx;
	(void)d;
	return gfn < MANY_FRAMES ? many.frames[gfn] : NULL;
}

static void many_unmap(void *ctx, struct uc_domain *d, void *frame)
{
	(void)ctx;
	(void)d;
	(void)frame;
}

static void many_kick(void *ctx, struct uc_vcpu *v)
{
	(void)ctx;
	(void)v;
}

static enum uc_run_state many_state(void *ctx, const struct uc_vcpu *v, uint64_t *since)
{
	(void)ctx;
	*since = 1000 - v->id;
	return v->id == many.running ? UC_VCPU_RUNNING : UC_VCPU_PREEMPTED;
}

static const struct uc_host_ops many_ops = {
	.map_frame = many_map,
	.unmap_frame = many_unmap,
	.kick = many_kick,
	.wake = many_kick,
	.run_state = many_state,
};

static void many_start(struct uc_host *host)
{
	struct uc_domain_config config = {.host = host,
					  .id = 1,
					  .vcpus = many.vcpus,
					  .nr_vcpus = MANY,
					  .ports = many.ports,
					  .nr_ports = MANY_PORTS,
					  .affinity = many.affinity};
	uint32_t port;

	memset(&many, 0, sizeof(many));
	*host = (struct uc_host){.ops = &many_ops, .domains = many.domains, .nr_domains = 2};
	assert_int_equal(uc_domain_init(&many.d, &config), 0);
	assert_int_equal(uc_domain_set_shared_info(&many.d, MANY), 0);
	for (uint32_t v = 0; v < MANY; v++) {
		assert_int_equal(uc_init_control(&many.d, v, v, 0), 0);
		assert_int_equal(uc_bind_ipi(&many.d, v, &port), 0);
	}
	assert_int_equal(uc_expand_array(&many.d, MANY + 1), 0);
	assert_int_equal(uc_domain_set_policy(&many.d, UC_POLICY_FOLLOW), 0);
	assert_int_equal(uc_endpoint_open(&many.l.e, &many.d), 0);
	many.port = many.l.e.port;
}

/* Raises, and consumes where the event was linked: the only vCPU with something to take. */
static uint32_t many_raise(void)
{
	struct uc_fifo_control_block *control;
	uint32_t at = MANY;

	assert_int_equal(uc_endpoint_raise(&many.l.e), 0);
	for (uint32_t v = 0; v < MANY; v++) {
		if (!uc_vcpu_untaken(&many.vcpus[v]))
			continue;
		assert_int_equal(at, MANY);
		at = v;
	}
	assert_in_range(at, 0, MANY - 1);
	control = (struct uc_fifo_control_block *)many.frames[at];
	control->ready.raw = 0;
	((uint32_t *)many.frames[MANY + 1])[many.port] = 0;
	return at;
}

static void sets_reach_beyond_the_64th_vcpu(void **state)
{
	uint64_t set[MANY_WORDS] = {0};
	struct uc_host host;

	(void)state;
	many_start(&host);
	for (many.running = 0; many.running < MANY; many.running++)
		assert_int_equal(many_raise(), many.running);
	many.running = 3;
	set[1] = 1ull << (100 - 64);
	set[2] = 1ull << (129 - 128);
	assert_int_equal(uc_port_set_affinity(&many.d, many.port, set), 0);
	assert_int_equal(many_raise(), 129); /* waits longest */
	many.running = 100;
	assert_int_equal(many_raise(), 100);
	for (uint32_t v = 0; v < MANY; v++)
		assert_int_equal(uc_port_may_use(&many.d, many.port, v), v == 100 || v == 129);
	set[1] = 0;
	set[2] = ~3ull; /* vCPUs 130 and on: none */
	assert_int_equal(uc_port_set_affinity(&many.d, many.port, set), -XEN_EINVAL);
	set[2] = 1;
	assert_int_equal(uc_domain_set_affinity(&many.d, set), 0);
	assert_int_equal(many_raise(), 100);
	assert_int_equal(uc_port_set_affinity(&many.d, many.port, NULL), 0);
	assert_int_equal(many_raise(), 128);
	uc_endpoint_close(&many.l.e);
	uc_domain_destroy(&many.d);
}

static void the_last_vcpu_hands_over_to_the_first(void **state)
{
	struct uc_host host;

	(void)state;
	many_start(&host);
	many.running = 129;
	assert_int_equal(uc_endpoint_raise(&many.l.e), 0);
	assert_int_equal(uc_vcpu_untaken(&many.vcpus[129]), 1u << UC_FIFO_PRIORITY_DEFAULT);
	many.running = 0;
	assert_int_equal(uc_vcpu_handover(&many.vcpus[129]), 1);
	assert_int_equal(uc_vcpu_untaken(&many.vcpus[129]), 0);
	assert_int_equal(uc_vcpu_untaken(&many.vcpus[0]), 1u << UC_FIFO_PRIORITY_DEFAULT);
	uc_endpoint_close(&many.l.e);
	uc_domain_destroy(&many.d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(policies_have_names),
		TEST(a_2_level_domain_is_pinned_only),
		TEST(bad_policies_and_ports_are_refused),
		TEST(a_port_has_the_domains_policy_until_it_has_its_own),
		TEST(a_ports_own_policy_takes_it_away_from_home),
		TEST(a_reopened_port_has_the_domains_policy_and_set),
		TEST(pinned_is_the_vcpu_that_the_guest_bound),
		TEST(follow_goes_to_who_runs),
		TEST(follow_stays_where_it_was_while_that_runs),
		TEST(follow_wakes_a_blocked_one_when_none_runs),
		TEST(follow_takes_who_waits_longest_when_all_are_preempted),
		TEST(follow_prefers_the_less_loaded_of_equals),
		TEST(follow_balances_one_busy_port),
		TEST(follow_balances_several_busy_ports),
		TEST(follow_hops_rarely),
		TEST(round_robin_takes_turns),
		TEST(random_reaches_all_alike),
		TEST(without_run_state_all_are_running),
		TEST(only_live_vcpus_get_events),
		TEST(a_vcpu_without_control_block_is_not_live),
		TEST(any_per_vcpu_port_makes_live_and_the_last_one_counts),
		TEST(with_no_live_vcpu_the_bound_one_gets_it),
		TEST(per_vcpu_ports_never_move),
		TEST(a_number_may_change_its_kind),
		TEST(every_policy_keeps_the_set),
		TEST(pinned_outside_the_set_takes_the_next_inside),
		TEST(empty_and_offline_sets_are_refused),
		TEST(null_gives_back_the_domains_set),
		TEST(the_domains_set_may_come_first),
		TEST(a_raise_for_a_set_not_yet_live_is_not_lost),
		TEST(when_the_whole_set_goes_offline_the_bound_vcpu_gets_it),
		TEST(without_memory_for_sets_there_are_none),
		TEST(a_moving_port_keeps_its_priority),
		TEST(sets_reach_beyond_the_64th_vcpu),
		TEST(the_last_vcpu_hands_over_to_the_first),
	};

	return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
