/* SPDX-License-Identifier: MIT */
/*
 * Pairs with hand-over, affinity, policies, vCPUs that go and come: each operation before each
 * atomic access of the other, see play.h.
 *
 * Ports 1 to VCPUS are IPIs, one on each vCPU; then three lines that follow. vCPU 0 runs at first.
 */
#include "play.h"

#include <string.h>

#include <upcall/route.h>
#include <xen/errno.h>
#include <xen/xen.h>

#define IPI_0 1u

static void only_runs(struct scene *s, uint32_t who)
{
	for (uint32_t v = 0; v < VCPUS; v++) {
		s->a->state[v] = v == who ? UC_VCPU_RUNNING : UC_VCPU_PREEMPTED;
		s->a->since[v] = v;
	}
}

/* ---- set-ups ---- */

static void setup_idle(struct scene *s)
{
	start_fifo(s->a, 1);
	open_ipis(s->a);
	uc_domain_set_policy(&s->a->d, UC_POLICY_FOLLOW);
	for (int i = 0; i < 3; i++)
		s->port[i] = open_line(s->a, &s->l[i], 0);
	only_runs(s, 0);
}

/* Raised and consumed: the lines are tails of vCPU 0, or have been. */
static void setup_settled(struct scene *s)
{
	setup_idle(s);
	for (int i = 0; i < 3; i++)
		raise_line(&s->l[i]);
	run_all(s->a);
}

static void raise_0(struct scene *s)
{
	uc_endpoint_raise(&s->l[0].e);
}

static void raise_1(struct scene *s)
{
	uc_endpoint_raise(&s->l[1].e);
}

static void raise_2(struct scene *s)
{
	uc_endpoint_raise(&s->l[2].e);
}

static void raise_ipi(struct scene *s)
{
	assert_int_equal(uc_send(&s->a->d, IPI_0), 0);
}

/* Two lines wait at vCPU 0, which is preempted then; vCPU 1 runs. */
static void setup_waiting(struct scene *s)
{
	setup_settled(s);
	raise_0(s);
	raise_1(s);
	only_runs(s, 1);
}

/* The first, the last and the only one that must stay. */
static void setup_ipi_first(struct scene *s)
{
	setup_settled(s);
	raise_ipi(s);
	raise_0(s);
	raise_1(s);
	only_runs(s, 1);
}

static void setup_ipi_last(struct scene *s)
{
	setup_settled(s);
	raise_0(s);
	raise_1(s);
	raise_ipi(s);
	only_runs(s, 1);
}

/* Something waits at both; each would go to the other, or both to vCPU 2. */
static void setup_both_wait(struct scene *s)
{
	setup_settled(s);
	raise_0(s);
	only_runs(s, 1);
	raise_1(s);
	only_runs(s, 2);
}

static void setup_masked(struct scene *s)
{
	setup_waiting(s);
	uc_guest_mask(&s->a->guest, s->port[0]);
}

/* Pinned, so that only what the pair does moves anything. */
static void setup_pinned_waiting(struct scene *s)
{
	setup_waiting(s);
	uc_domain_set_policy(&s->a->d, UC_POLICY_PINNED);
}

static void setup_pinned(struct scene *s)
{
	setup_settled(s);
	uc_domain_set_policy(&s->a->d, UC_POLICY_PINNED);
}

/* vCPU 0 goes next: the guest has moved nothing, the lines follow. */
static void setup_0_runs(struct scene *s)
{
	setup_settled(s);
	only_runs(s, 0);
}

static void setup_random(struct scene *s)
{
	setup_waiting(s);
	uc_domain_set_policy(&s->a->d, UC_POLICY_RANDOM);
}

/* ---- parties ---- */

static void hand_over_0(struct scene *s)
{
	uc_vcpu_handover(&s->a->vcpus[0]);
}

static void hand_over_1(struct scene *s)
{
	uc_vcpu_handover(&s->a->vcpus[1]);
}

static void hand_over_to_2_and_on(struct scene *s)
{
	only_runs(s, 2);
	uc_vcpu_handover(&s->a->vcpus[0]);
	uc_vcpu_handover(&s->a->vcpus[1]);
}

static void all_hand_over(struct scene *s)
{
	for (uint32_t v = 0; v < VCPUS; v++)
		uc_vcpu_handover(&s->a->vcpus[v]);
}

static void raise_all(struct scene *s)
{
	raise_0(s);
	raise_1(s);
	raise_2(s);
}

static void raise_at_0(struct scene *s)
{
	only_runs(s, 0);
	raise_all(s);
	raise_ipi(s);
}

static void guest_runs(struct scene *s)
{
	run_all(s->a);
}

/* As vCPUs that are still in their loops from an upcall before. */
static void guest_looks(struct scene *s)
{
	for (uint32_t v = 0; v < VCPUS; v++)
		__atomic_store_n(&s->a->gv[v].info->upcall_pending.raw, 1, __ATOMIC_SEQ_CST);
	run_all(s->a);
}

static void guest_0_runs(struct scene *s)
{
	run(s->a, 0);
}

static void guest_0_takes_upcall(struct scene *s)
{
	run(s->a, 0);
}

/*
 * vCPU 0 has taken delivery, and stops there; it goes on when the first party is done, with vCPU 1
 * before it.
 */
static void guest_0_takes(struct scene *s)
{
	if (s->rc)
		return;
	s->a->gv[0].info->upcall_pending.raw = 0;
	s->extra = __atomic_exchange_n(&control_of(s->a, 0)->ready.raw, 0, __ATOMIC_SEQ_CST);
}

static void hand_over_0_and_both_go_on(struct scene *s)
{
	uc_vcpu_handover(&s->a->vcpus[0]);
	s->rc = 1;
	s->w->strict = true;
	run(s->a, 1);
	consume(s->a, 0, s->extra);
}

static void guest_masks(struct scene *s)
{
	uc_guest_mask(&s->a->guest, s->port[0]);
}

static void guest_unmasks(struct scene *s)
{
	uc_guest_unmask(&s->a->guest, s->port[0]);
}

static void guest_masks_runs_unmasks(struct scene *s)
{
	guest_masks(s);
	guest_runs(s);
	guest_unmasks(s);
}

static void to_vcpu_2(struct scene *s)
{
	assert_int_equal(uc_bind_vcpu(&s->a->d, s->port[0], 2), 0);
}

static void other_priority(struct scene *s)
{
	assert_int_equal(uc_set_priority(&s->a->d, s->port[0], 3), 0);
}

static void close_0(struct scene *s)
{
	play_uncertain = 1;
	uc_close(&s->a->d, s->port[0]);
}

static void reopen(struct scene *s)
{
	close_0(s);
	uc_endpoint_close(&s->l[0].e);
	s->port[0] = open_line(s->a, &s->l[0], 0);
}

static void set_is_2(struct scene *s)
{
	uint64_t set = 0x4;

	assert_int_equal(uc_port_set_affinity(&s->a->d, s->port[0], &set), 0);
}

static void domain_set_is_2(struct scene *s)
{
	uint64_t set = 0x4;

	assert_int_equal(uc_domain_set_affinity(&s->a->d, &set), 0);
}

static void set_is_all(struct scene *s)
{
	assert_int_equal(uc_port_set_affinity(&s->a->d, s->port[0], NULL), 0);
}

static void pinned_now(struct scene *s)
{
	assert_int_equal(uc_domain_set_policy(&s->a->d, UC_POLICY_PINNED), 0);
}

static void round_robin_now(struct scene *s)
{
	assert_int_equal(uc_port_set_policy(&s->a->d, s->port[0], UC_POLICY_ROUND_ROBIN), 0);
}

/* vCPU 0's last per-vCPU port. */
static void vcpu_0_goes(struct scene *s)
{
	assert_int_equal(uc_close(&s->a->d, IPI_0), 0);
}

static void vcpu_0_comes_back(struct scene *s)
{
	uint32_t port;

	assert_int_equal(uc_bind_ipi(&s->a->d, 0, &port), 0);
	assert_int_equal(port, IPI_0);
}

static void setup_0_is_gone(struct scene *s)
{
	setup_waiting(s);
	vcpu_0_goes(s);
	only_runs(s, 0);
}

/* It was at vCPU 0; now vCPU 1 has it. */
static void line_0_moves_to_1(struct scene *s)
{
	run_all(s->a);
	only_runs(s, 1);
	uc_domain_set_policy(&s->a->d, UC_POLICY_FOLLOW);
	raise_0(s);
}

/* ---- afterwards; the guest has run, see all_handled() ---- */

static uint32_t times_at(struct scene *s, uint32_t port, uint32_t vcpu)
{
	uint32_t times = 0;

	for (uint32_t i = 0; i < s->a->nr_log; i++)
		times += s->a->log[i].port == port && s->a->log[i].vcpu == vcpu;
	return times;
}

static void ipis_at_home(struct scene *s)
{
	for (uint32_t v = 0; v < VCPUS; v++)
		assert_int_equal(times_at(s, 1 + v, v), times_handled(s->a, 1 + v));
}

/* The set-ups' own raises are in the log too: twice means after them. */
static void both_came(struct scene *s)
{
	ipis_at_home(s);
	assert_true(times_handled(s->a, s->port[0]) >= 2);
	assert_true(times_handled(s->a, s->port[1]) >= 2);
	for (uint32_t v = 0; v < VCPUS; v++)
		assert_false(uc_vcpu_upcall_pending(&s->a->vcpus[v]));
}

static void both_came_and_the_ipi(struct scene *s)
{
	both_came(s);
	assert_true(times_handled(s->a, IPI_0) >= 1);
}

static void line_1_came(struct scene *s)
{
	ipis_at_home(s);
	assert_true(times_handled(s->a, s->port[1]) >= 2);
}

static void line_0_came(struct scene *s)
{
	ipis_at_home(s);
	assert_true(times_handled(s->a, s->port[0]) >= 2);
}

/* Once on vCPU 0 in the set-up; since the change, on vCPU 2 alone. */
static void line_0_came_on_vcpu_2(struct scene *s)
{
	line_0_came(s);
	assert_int_equal(times_at(s, s->port[0], 2), times_handled(s->a, s->port[0]) - 1);
}

static void nothing_came_on_vcpu_0(struct scene *s)
{
	for (int i = 0; i < 3; i++)
		assert_int_equal(times_at(s, s->port[i], 0), 1);
	line_0_came(s);
}

static void words_are_clean(struct scene *s)
{
	line_1_came(s);
	for (uint32_t port = 0; port < 12; port++)
		assert_int_equal(word(s->a, port), 0);
}

static void reopened_line_works(struct scene *s)
{
	uint32_t before = times_handled(s->a, s->port[0]);

	words_are_clean(s);
	raise_0(s);
	run_all(s->a);
	assert_int_equal(times_handled(s->a, s->port[0]), before + 1);
}

static const struct pair pairs[] = {
	/* A hand-over, and what may come between. */
	RAISE(setup_waiting, hand_over_0, raise_all, both_came),
	RAISE(setup_waiting, hand_over_0, raise_at_0, both_came_and_the_ipi),
	RAISE(setup_ipi_first, hand_over_0, raise_at_0, both_came_and_the_ipi),
	RAISE(setup_ipi_last, hand_over_0, raise_at_0, both_came_and_the_ipi),
	GUEST(setup_waiting, hand_over_0_and_both_go_on, guest_0_takes, both_came),
	GUEST(setup_ipi_first, hand_over_0_and_both_go_on, guest_0_takes, both_came_and_the_ipi),
	GUEST(setup_ipi_last, hand_over_0_and_both_go_on, guest_0_takes, both_came_and_the_ipi),
	GUEST(setup_waiting, hand_over_0, guest_runs, both_came),
	GUEST(setup_waiting, hand_over_0, guest_looks, both_came),
	GUEST(setup_ipi_first, hand_over_0, guest_looks, both_came_and_the_ipi),
	GUEST(setup_ipi_first, hand_over_0, guest_0_takes_upcall, both_came_and_the_ipi),
	GUEST(setup_ipi_last, hand_over_0, guest_looks, both_came_and_the_ipi),
	GUEST(setup_ipi_last, hand_over_0, guest_0_takes_upcall, both_came_and_the_ipi),
	PAIR(setup_waiting, hand_over_0, guest_masks_runs_unmasks, both_came),
	PAIR(setup_masked, hand_over_0, guest_unmasks, both_came),
	PAIR(setup_waiting, hand_over_0, to_vcpu_2, both_came),
	PAIR(setup_pinned_waiting, hand_over_0, to_vcpu_2, both_came),
	PAIR(setup_waiting, hand_over_0, other_priority, both_came),
	PAIR(setup_waiting, hand_over_0, close_0, words_are_clean),
	PAIR(setup_waiting, hand_over_0, reopen, reopened_line_works),
	PAIR(setup_ipi_last, hand_over_0, reopen, reopened_line_works),
	PAIR(setup_waiting, hand_over_0, set_is_2, line_0_came_on_vcpu_2),
	PAIR(setup_waiting, hand_over_0, domain_set_is_2, line_0_came_on_vcpu_2),
	PAIR(setup_waiting, hand_over_0, pinned_now, both_came),
	PAIR(setup_waiting, hand_over_0, round_robin_now, both_came),
	PAIR(setup_waiting, hand_over_0, vcpu_0_goes, nothing_came_on_vcpu_0),
	RAISE(setup_waiting, hand_over_0, hand_over_0, both_came),
	RAISE(setup_waiting, hand_over_0, hand_over_to_2_and_on, both_came),
	RAISE(setup_both_wait, hand_over_0, hand_over_1, both_came),
	RAISE(setup_both_wait, hand_over_1, hand_over_0, both_came),
	RAISE(setup_random, all_hand_over, all_hand_over, both_came),
	RAISE(setup_random, all_hand_over, raise_at_0, both_came_and_the_ipi),
	PAIR(setup_random, hand_over_0, set_is_2, line_0_came_on_vcpu_2),

	/* Others, and a hand-over between. */
	RAISE(setup_waiting, raise_all, hand_over_0, both_came),
	RAISE(setup_0_runs, raise_at_0, hand_over_to_2_and_on, both_came_and_the_ipi),
	RAISE(setup_idle, raise_at_0, hand_over_to_2_and_on, NULL),
	RAISE(setup_waiting, guest_runs, hand_over_0, both_came),
	RAISE(setup_waiting, guest_0_runs, hand_over_0, both_came),
	RAISE(setup_ipi_first, guest_runs, hand_over_0, both_came_and_the_ipi),
	RAISE(setup_ipi_last, guest_runs, hand_over_0, both_came_and_the_ipi),
	RAISE(setup_both_wait, guest_runs, all_hand_over, both_came),
	RAISE(setup_masked, guest_unmasks, hand_over_0, both_came),
	RAISE(setup_waiting, guest_masks_runs_unmasks, hand_over_0, both_came),
	RAISE(setup_pinned_waiting, to_vcpu_2, hand_over_0, both_came),
	RAISE(setup_waiting, other_priority, hand_over_0, both_came),
	RAISE(setup_waiting, close_0, hand_over_0, words_are_clean),
	RAISE(setup_waiting, reopen, hand_over_0, reopened_line_works),
	RAISE(setup_waiting, set_is_2, hand_over_0, line_0_came_on_vcpu_2),
	RAISE(setup_waiting, vcpu_0_goes, hand_over_0, nothing_came_on_vcpu_0),

	/* Sets. */
	PAIR(setup_pinned, raise_0, set_is_2, line_0_came_on_vcpu_2),
	RAISE(setup_pinned, set_is_2, raise_0, line_0_came_on_vcpu_2),
	PAIR(setup_0_runs, raise_0, set_is_2, line_0_came_on_vcpu_2),
	RAISE(setup_0_runs, set_is_2, raise_0, line_0_came_on_vcpu_2),
	PAIR(setup_0_runs, raise_0, domain_set_is_2, line_0_came_on_vcpu_2),
	RAISE(setup_0_runs, domain_set_is_2, raise_0, line_0_came_on_vcpu_2),
	PAIR(setup_pinned, raise_0, domain_set_is_2, line_0_came_on_vcpu_2),
	RAISE(setup_pinned, domain_set_is_2, raise_0, line_0_came_on_vcpu_2),
	PAIR(setup_pinned, raise_0, to_vcpu_2, line_0_came),
	PAIR(setup_pinned, raise_0, other_priority, line_0_came),
	RAISE(setup_pinned_waiting, set_is_2, raise_0, line_0_came_on_vcpu_2),
	RAISE(setup_pinned_waiting, domain_set_is_2, raise_all, line_0_came_on_vcpu_2),
	RAISE(setup_waiting, set_is_2, raise_0, line_0_came_on_vcpu_2),
	RAISE(setup_pinned, set_is_2, line_0_moves_to_1, line_0_came_on_vcpu_2),
	PAIR(setup_pinned_waiting, set_is_2, guest_runs, both_came),
	GUEST(setup_pinned_waiting, set_is_2, guest_looks, both_came),
	PAIR(setup_0_runs, raise_0, set_is_all, line_0_came),
	PAIR(setup_0_runs, raise_0, round_robin_now, line_0_came),
	RAISE(setup_0_runs, round_robin_now, raise_0, line_0_came),

	/* A vCPU that goes, and comes back. */
	PAIR(setup_0_runs, raise_all, vcpu_0_goes, nothing_came_on_vcpu_0),
	RAISE(setup_0_runs, vcpu_0_goes, raise_all, nothing_came_on_vcpu_0),
	GUEST(setup_waiting, vcpu_0_goes, guest_looks, both_came),
	PAIR(setup_0_is_gone, raise_all, vcpu_0_comes_back, both_came),
	RAISE(setup_0_is_gone, vcpu_0_comes_back, raise_all, both_came),
};

int main(void)
{
	return play_group("steps_route", pairs, sizeof(pairs) / sizeof(pairs[0]), NULL, 0);
}
