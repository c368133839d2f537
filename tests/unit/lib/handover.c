/* SPDX-License-Identifier: MIT */
/*
 * Hand-over with one thread: what moves, in which order, what the queues are like afterwards, and
 * what a hostile guest can do to it. Interleavings are in steps.c and stress.c.
 *
 * Lines are opened behind the IPIs: ports LINE and on. Only vCPU `who` runs after only_runs(who).
 */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include <upcall/route.h>
#include <xen/errno.h>
#include <xen/xen.h>

#define LINE	 (VCPUS + 1) /* the first line's port */
#define MANY	 700u
#define PRIO_BIT (1u << UC_FIFO_PRIORITY_DEFAULT)

static struct line line[MANY];

static void only_runs(struct machine *m, uint32_t who)
{
	for (uint32_t v = 0; v < VCPUS; v++) {
		m->state[v] = v == who ? UC_VCPU_RUNNING : UC_VCPU_PREEMPTED;
		m->since[v] = v;
	}
}

/* `n` lines that follow; vCPU 0 runs. */
static struct machine *start(void **state, uint32_t n)
{
	struct machine *a = ((struct world *)*state)->a;

	start_fifo(a, 1);
	open_ipis(a);
	assert_int_equal(uc_domain_set_policy(&a->d, UC_POLICY_FOLLOW), 0);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(open_line(a, &line[i], 0), LINE + i);
	only_runs(a, 0);
	return a;
}

static void raise_lines(uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		raise_line(&line[i]);
}

static void send(struct machine *m, uint32_t port)
{
	assert_int_equal(uc_send(&m->d, port), 0);
}

static uint32_t hand_over(struct machine *m, uint32_t from, uint32_t to)
{
	only_runs(m, to);
	return uc_vcpu_handover(&m->vcpus[from]);
}

/* What vCPU v handles now, as in handled(). */
static const char *runs(struct machine *m, uint32_t v)
{
	handled(m);
	run(m, v);
	return handled(m);
}

static uint32_t untaken(struct machine *m, uint32_t v)
{
	return uc_vcpu_untaken(&m->vcpus[v]);
}

/* As a guest that has begun: READY and the upcall are taken, nothing is consumed yet. */
static uint32_t guest_takes(struct machine *m, uint32_t v)
{
	m->gv[v].info->upcall_pending.raw = 0;
	return __atomic_exchange_n(&control_of(m, v)->ready.raw, 0, __ATOMIC_SEQ_CST);
}

static void guest_goes_on(struct machine *m, uint32_t v, uint32_t ready)
{
	control_of(m, v)->ready.raw |= ready;
	m->gv[v].info->upcall_pending.raw = 1;
}

static void all_is_clean(struct machine *m)
{
	run_all(m);
	for (uint32_t port = 0; port < UC_FIFO_WORDS_PER_PAGE; port++)
		assert_int_equal(word(m, port), 0);
	for (uint32_t v = 0; v < VCPUS; v++)
		assert_int_equal(untaken(m, v), 0);
}

/* ---- what moves ---- */

static void what_waits_moves_in_order(void **state)
{
	struct machine *a = start(state, 5);

	raise_lines(0, 5);
	assert_int_equal(untaken(a, 0), PRIO_BIT);
	assert_int_equal(hand_over(a, 0, 1), 5);
	assert_int_equal(untaken(a, 0), 0);
	assert_int_equal(untaken(a, 1), PRIO_BIT);
	assert_int_equal(a->kicks[1], 1);
	assert_int_equal(a->vcpus[0].handed_over, 5);
	assert_int_equal(uc_vcpu_delivered(&a->vcpus[0]), 0);
	assert_int_equal(uc_vcpu_delivered(&a->vcpus[1]), 5);
	assert_string_equal(runs(a, 0), "");
	assert_string_equal(runs(a, 1), "1:5 1:6 1:7 1:8 1:9");
	all_is_clean(a);
}

static void nothing_waits_nothing_moves(void **state)
{
	struct machine *a = start(state, 1);

	assert_int_equal(hand_over(a, 0, 1), 0);
	assert_int_equal(control_of(a, 0)->ready.raw, 0);
	assert_int_equal(a->kicks[0] + a->kicks[1], 0);
}

/* Line 0 is of the OS; a timer at the default priority shares its queue. */
static void only_the_os_s_own_is_movable(void **state)
{
	struct machine *a = start(state, 2);
	uint32_t timer;

	assert_int_equal(uc_bind_virq(&a->d, VIRQ_TIMER, 0, &timer), 0);
	assert_int_equal(uc_virq_raise(&a->vcpus[0], VIRQ_TIMER), 0);
	assert_int_equal(untaken(a, 0), PRIO_BIT);
	assert_int_equal(uc_vcpu_movable(&a->vcpus[0]), 0);
	assert_int_equal(a->queued[0], 0);
	assert_int_equal(hand_over(a, 0, 1), 0);
	assert_int_equal(untaken(a, 0), PRIO_BIT); /* not even claimed */
	only_runs(a, 0);
	raise_lines(0, 1);
	assert_int_equal(uc_vcpu_movable(&a->vcpus[0]), PRIO_BIT);
	assert_int_equal(hand_over(a, 0, 1), 1);
	assert_int_equal(a->queued[1], 1); /* it is at the head of an empty queue there */
	run_all(a);
	/* The next list begins without it. */
	assert_int_equal(uc_virq_raise(&a->vcpus[0], VIRQ_TIMER), 0);
	assert_int_equal(uc_vcpu_movable(&a->vcpus[0]), 0);
	run_all(a);
}

/* Behind a timer, an event waits in a queue that nobody watches yet. */
static void the_host_is_told_of_what_is_behind_a_timer(void **state)
{
	struct machine *a = start(state, 1);
	uint32_t timer;

	assert_int_equal(uc_bind_virq(&a->d, VIRQ_TIMER, 0, &timer), 0);
	assert_int_equal(uc_virq_raise(&a->vcpus[0], VIRQ_TIMER), 0);
	assert_int_equal(a->queued[0], 0);
	raise_lines(0, 1);
	assert_int_equal(a->queued[0], 1);
	assert_int_equal(a->kicks[0], 1); /* the timer's */
}

/* Also when v has an upcall on its way already, so that no kick() tells the host. */
static void the_host_is_told_of_what_could_move(void **state)
{
	struct machine *a = start(state, 1);

	a->gv[0].info->upcall_pending.raw = 1;
	raise_lines(0, 1);
	assert_int_equal(a->kicks[0], 0);
	assert_int_equal(a->queued[0], 1);
}

static void a_domain_without_queues_has_nothing_to_move(void **state)
{
	struct machine *a = ((struct world *)*state)->a;

	assert_int_equal(uc_vcpu_handover(&a->vcpus[0]), 0);
	start_2l(a);
	assert_int_equal(uc_vcpu_handover(&a->vcpus[0]), 0);
	start_control(a, 1);
	assert_int_equal(uc_vcpu_handover(&a->vcpus[0]), 0);
}

static void who_runs_keeps_what_waits(void **state)
{
	struct machine *a = start(state, 3);

	raise_lines(0, 3);
	assert_int_equal(hand_over(a, 0, 0), 0);
	assert_string_equal(runs(a, 0), "0:5 0:6 0:7");
}

static void what_stays_keeps_its_order_and_ready(void **state)
{
	struct machine *a = start(state, 3);
	uint32_t ipi[2];

	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(uc_bind_ipi(&a->d, 0, &ipi[i]), 0);
	raise_line(&line[0]);
	send(a, 1);
	raise_line(&line[1]);
	send(a, ipi[0]);
	send(a, ipi[1]);
	raise_line(&line[2]);
	assert_int_equal(hand_over(a, 0, 2), 3);
	assert_int_equal(untaken(a, 0), PRIO_BIT);
	assert_string_equal(runs(a, 2), "2:5 2:6 2:7");
	assert_string_equal(runs(a, 0), "0:1 0:8 0:9");
	all_is_clean(a);
}

/* The chain, word by word: LINK of what moved and of what stayed is as if linked afresh. */
static void links_are_clean(void **state)
{
	struct machine *a = start(state, 3);

	raise_line(&line[0]);
	send(a, 1);
	raise_line(&line[1]);
	raise_line(&line[2]);
	assert_int_equal(hand_over(a, 0, 3), 3);
	assert_int_equal(word(a, 1), UC_FIFO_PENDING | UC_FIFO_LINKED);
	assert_int_equal(word(a, 5), UC_FIFO_PENDING | UC_FIFO_LINKED | 6);
	assert_int_equal(word(a, 6), UC_FIFO_PENDING | UC_FIFO_LINKED | 7);
	assert_int_equal(word(a, 7), UC_FIFO_PENDING | UC_FIFO_LINKED);
	assert_int_equal(control_of(a, 0)->head[UC_FIFO_PRIORITY_DEFAULT].raw, 1);
	assert_int_equal(control_of(a, 3)->head[UC_FIFO_PRIORITY_DEFAULT].raw, 5);
	assert_int_equal(word(a, 0), 0);
	run_all(a);
	all_is_clean(a);
}

static void what_the_guest_has_taken_is_not_touched(void **state)
{
	struct machine *a = start(state, 3);
	uint32_t ready;

	raise_lines(0, 3);
	ready = guest_takes(a, 0);
	assert_int_equal(hand_over(a, 0, 1), 0);
	assert_int_equal(untaken(a, 0), 0); /* READY is not given back either */
	assert_false(uc_vcpu_upcall_pending(&a->vcpus[0]));
	raise_line(&line[0]); /* on its way: goes nowhere else */
	assert_int_equal(untaken(a, 1), 0);
	guest_goes_on(a, 0, ready);
	assert_string_equal(runs(a, 0), "0:5 0:6 0:7");
	all_is_clean(a);
}

static void each_priority_moves_to_its_own_queue(void **state)
{
	struct machine *a = start(state, 4);

	assert_int_equal(uc_set_priority(&a->d, LINE + 1, 3), 0);
	assert_int_equal(uc_set_priority(&a->d, LINE + 2, 15), 0);
	assert_int_equal(uc_set_priority(&a->d, LINE + 3, 0), 0);
	raise_lines(0, 4);
	assert_int_equal(hand_over(a, 0, 1), 4);
	assert_int_equal(untaken(a, 0), 0);
	assert_int_equal(untaken(a, 1), 1u << 0 | 1u << 3 | 1u << 7 | 1u << 15);
	assert_string_equal(runs(a, 1), "1:8 1:6 1:5 1:7");
	all_is_clean(a);
}

static void one_priority_taken_the_other_moves(void **state)
{
	struct machine *a = start(state, 2);

	assert_int_equal(uc_set_priority(&a->d, LINE + 1, 3), 0);
	raise_lines(0, 2);
	control_of(a, 0)->ready.raw = 1u << 3; /* 7 is taken */
	assert_int_equal(hand_over(a, 0, 1), 1);
	assert_string_equal(runs(a, 1), "1:6");
	guest_goes_on(a, 0, PRIO_BIT);
	assert_string_equal(runs(a, 0), "0:5");
	all_is_clean(a);
}

static void a_new_priority_counts_for_what_moves(void **state)
{
	struct machine *a = start(state, 2);

	raise_lines(0, 2);
	assert_int_equal(uc_set_priority(&a->d, LINE + 1, 3), 0);
	assert_int_equal(hand_over(a, 0, 1), 2);
	assert_string_equal(runs(a, 1), "1:6 1:5");
	all_is_clean(a);
}

static void a_closed_port_stays_for_the_guest_to_unlink(void **state)
{
	struct machine *a = start(state, 3);
	struct line other;

	raise_lines(0, 3);
	assert_int_equal(uc_close(&a->d, LINE + 1), 0);
	uc_endpoint_close(&line[1].e);
	assert_int_equal(hand_over(a, 0, 1), 2);
	assert_int_equal(untaken(a, 0), PRIO_BIT);
	assert_int_equal(open_line(a, &other, 0), LINE + 3); /* its number is not free yet */
	assert_string_equal(runs(a, 1), "1:5 1:7");
	assert_string_equal(runs(a, 0), "");
	assert_int_equal(open_line(a, &other, 0), LINE + 1);
	all_is_clean(a);
}

static void a_masked_event_moves_and_comes_when_unmasked(void **state)
{
	struct machine *a = start(state, 2);

	raise_lines(0, 2);
	uc_guest_mask(&a->guest, LINE);
	assert_int_equal(hand_over(a, 0, 1), 2);
	assert_string_equal(runs(a, 1), "1:6");
	assert_true(uc_guest_pending(&a->guest, LINE));
	uc_guest_unmask(&a->guest, LINE);
	assert_string_equal(runs(a, 1), "1:5");
	all_is_clean(a);
}

static void an_event_the_guest_cleared_moves_unheard(void **state)
{
	struct machine *a = start(state, 2);

	raise_lines(0, 2);
	uc_guest_clear(&a->guest, LINE);
	assert_int_equal(hand_over(a, 0, 1), 2);
	assert_string_equal(runs(a, 1), "1:6");
	raise_line(&line[0]);
	assert_string_equal(runs(a, 1), "1:5");
	all_is_clean(a);
}

static void pinned_ports_move_only_when_bound_elsewhere(void **state)
{
	struct machine *a = start(state, 2);

	assert_int_equal(uc_domain_set_policy(&a->d, UC_POLICY_PINNED), 0);
	raise_lines(0, 2);
	assert_int_equal(hand_over(a, 0, 1), 0);
	assert_int_equal(uc_bind_vcpu(&a->d, LINE + 1, 3), 0);
	assert_int_equal(hand_over(a, 0, 1), 1);
	assert_string_equal(runs(a, 3), "3:6");
	assert_string_equal(runs(a, 0), "0:5");
	all_is_clean(a);
}

/* Round-robin spreads a list; each vCPU gets its share in order. */
static void a_list_may_go_to_several_vcpus(void **state)
{
	struct machine *a = start(state, 4);
	uint64_t not_0 = 0xe;

	raise_lines(0, 4);
	for (uint32_t i = 0; i < 4; i++) {
		uint64_t set = not_0 & (i % 2 ? 0x2 : 0x4);

		assert_int_equal(uc_port_set_policy(&a->d, LINE + i, UC_POLICY_ROUND_ROBIN), 0);
		assert_int_equal(uc_port_set_affinity(&a->d, LINE + i, &set), 0);
	}
	assert_string_equal(runs(a, 0), "");
	assert_string_equal(runs(a, 1), "1:6 1:8");
	assert_string_equal(runs(a, 2), "2:5 2:7");
	all_is_clean(a);
}

static void nobody_else_is_live(void **state)
{
	struct machine *a = start(state, 3);

	for (uint32_t v = 1; v < VCPUS; v++)
		assert_int_equal(uc_close(&a->d, 1 + v), 0);
	raise_lines(0, 3);
	assert_int_equal(hand_over(a, 0, 1), 0);
	assert_int_equal(untaken(a, 0), PRIO_BIT);
	assert_string_equal(runs(a, 0), "0:5 0:6 0:7");
	all_is_clean(a);
}

/* ---- the queues afterwards ---- */

static void the_old_queue_starts_afresh(void **state)
{
	struct machine *a = start(state, 3);

	raise_lines(0, 2);
	assert_int_equal(hand_over(a, 0, 1), 2);
	only_runs(a, 0);
	raise_line(&line[2]);
	assert_int_equal(untaken(a, 0), PRIO_BIT);
	assert_int_equal(control_of(a, 0)->head[UC_FIFO_PRIORITY_DEFAULT].raw, LINE + 2);
	assert_string_equal(runs(a, 0), "0:7");
	assert_string_equal(runs(a, 1), "1:5 1:6");
	all_is_clean(a);
}

static void what_stays_gets_a_new_tail(void **state)
{
	struct machine *a = start(state, 2);
	uint32_t ipi;

	assert_int_equal(uc_bind_ipi(&a->d, 0, &ipi), 0);
	send(a, 1);
	raise_lines(0, 2); /* line 1 is the tail, and goes */
	assert_int_equal(hand_over(a, 0, 1), 2);
	send(a, ipi);
	assert_int_equal(word(a, 1) & UC_FIFO_LINK_MASK, ipi);
	assert_string_equal(runs(a, 0), "0:1 0:7");
	assert_string_equal(runs(a, 1), "1:5 1:6");
	all_is_clean(a);
}

static void a_moved_list_can_be_appended_to(void **state)
{
	struct machine *a = start(state, 4);

	raise_lines(0, 2);
	assert_int_equal(hand_over(a, 0, 1), 2);
	raise_lines(2, 4);
	assert_int_equal(a->kicks[1], 1);
	assert_string_equal(runs(a, 1), "1:5 1:6 1:7 1:8");
	all_is_clean(a);
}

static void a_list_moves_behind_what_waits_there(void **state)
{
	struct machine *a = start(state, 4);

	raise_lines(0, 2);
	only_runs(a, 1);
	raise_lines(2, 4);
	assert_int_equal(hand_over(a, 0, 1), 2);
	assert_string_equal(runs(a, 0), "");
	assert_string_equal(runs(a, 1), "1:7 1:8 1:5 1:6");
	all_is_clean(a);
}

static void a_list_moves_behind_what_is_being_consumed(void **state)
{
	struct machine *a = start(state, 4);
	uint32_t ready;

	raise_lines(0, 2);
	only_runs(a, 1);
	raise_lines(2, 4);
	ready = guest_takes(a, 1);
	assert_int_equal(hand_over(a, 0, 1), 2);
	assert_int_equal(untaken(a, 1), 0);
	guest_goes_on(a, 1, ready);
	assert_string_equal(runs(a, 1), "1:7 1:8 1:5 1:6");
	all_is_clean(a);
}

static void a_list_can_go_round(void **state)
{
	struct machine *a = start(state, 4);

	raise_lines(0, 4);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(hand_over(a, i % VCPUS, (i + 1) % VCPUS), 4);
	assert_string_equal(runs(a, 0), "0:5 0:6 0:7 0:8");
	all_is_clean(a);
}

static void two_lists_cross(void **state)
{
	struct machine *a = start(state, 4);

	raise_lines(0, 2);
	only_runs(a, 1);
	raise_lines(2, 4);
	assert_int_equal(hand_over(a, 1, 0), 2); /* 0: 5 6 7 8 */
	assert_int_equal(hand_over(a, 0, 1), 4);
	only_runs(a, 0);
	for (uint32_t i = 0; i < 4; i++)
		raise_line(&line[i]); /* on their way */
	assert_string_equal(runs(a, 0), "");
	assert_string_equal(runs(a, 1), "1:5 1:6 1:7 1:8");
	raise_lines(0, 4);
	assert_string_equal(runs(a, 0), "0:5 0:6 0:7 0:8");
	all_is_clean(a);
}

/* A consumed port may still be its queue's tail: linked elsewhere it is followed by nobody. */
static void a_consumed_tail_that_moved_is_not_followed(void **state)
{
	struct machine *a = start(state, 3);

	raise_line(&line[0]);
	assert_string_equal(runs(a, 0), "0:5");
	only_runs(a, 1);
	raise_line(&line[0]); /* now in 1's list, and was 0's tail */
	assert_int_equal(hand_over(a, 1, 2), 1);
	only_runs(a, 0);
	raise_line(&line[1]);
	only_runs(a, 1);
	raise_line(&line[2]);
	assert_string_equal(runs(a, 0), "0:6");
	assert_string_equal(runs(a, 1), "1:7");
	assert_string_equal(runs(a, 2), "2:5");
	all_is_clean(a);
}

/* ---- upcalls ---- */

static struct machine *watched;
static uint32_t found;

/* Runs while the list is claimed: the guest takes its upcall, and finds nothing. */
static enum uc_run_state guest_looks_now(void *ctx, const struct uc_vcpu *v, uint64_t *since)
{
	(void)ctx;
	*since = 0;
	if (v->domain->vcpus[0].queue[UC_FIFO_PRIORITY_DEFAULT].lock)
		found += run(watched, 0);
	return v->id == 1 ? UC_VCPU_RUNNING : UC_VCPU_PREEMPTED;
}

static void what_is_put_back_is_announced_again(void **state)
{
	struct world *w = *state;
	const struct uc_host_ops *whole = w->host.ops;
	struct uc_host_ops ops = *whole;
	struct machine *a = start(state, 2);

	raise_line(&line[0]);
	send(a, 1);
	assert_int_equal(a->kicks[0], 1);
	watched = a;
	found = 0;
	ops.run_state = guest_looks_now;
	w->host.ops = &ops;
	assert_int_equal(uc_vcpu_handover(&a->vcpus[0]), 1);
	w->host.ops = whole;
	assert_int_equal(found, 0);
	assert_true(uc_vcpu_upcall_pending(&a->vcpus[0]));
	assert_int_equal(a->kicks[0], 2);
	assert_string_equal(runs(a, 0), "0:1");
	assert_string_equal(runs(a, 1), "1:5");
	all_is_clean(a);
}

/* ---- a vCPU that goes ---- */

static void the_last_per_vcpu_port_closed_hands_over(void **state)
{
	struct machine *a = start(state, 3);
	uint32_t timer;

	assert_int_equal(uc_bind_virq(&a->d, VIRQ_TIMER, 0, &timer), 0);
	raise_lines(0, 3);
	assert_int_equal(uc_virq_raise(&a->vcpus[0], VIRQ_TIMER), 0);
	assert_int_equal(uc_close(&a->d, 1), 0);
	assert_true(uc_vcpu_is_live(&a->vcpus[0]));
	assert_int_equal(a->vcpus[0].handed_over, 0);
	assert_int_equal(uc_close(&a->d, timer), 0);
	assert_int_equal(a->vcpus[0].handed_over, 3);
	/* Linux then drops what is left there: the closed timer, which is not pending. */
	assert_int_equal(word(a, timer), UC_FIFO_LINKED);
	assert_string_equal(runs(a, 0), "");
	run_all(a);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(uc_guest_pending(&a->guest, LINE + i), false);
	all_is_clean(a);
}

/* Comes back: gets events again, its queue is a fresh one. */
static void a_vcpu_that_comes_back_gets_events(void **state)
{
	struct machine *a = start(state, 2);
	uint32_t ipi;

	raise_lines(0, 2);
	assert_int_equal(uc_close(&a->d, 1), 0);
	run_all(a);
	handled(a);
	raise_line(&line[0]); /* vCPU 0 is said to run, but is not live */
	assert_int_equal(untaken(a, 0), 0);
	run_all(a);
	assert_int_equal(uc_bind_ipi(&a->d, 0, &ipi), 0);
	raise_lines(0, 2);
	assert_string_equal(runs(a, 0), "0:5 0:6");
	all_is_clean(a);
}

static void a_vcpu_that_goes_leaves_nothing_however_much_waits(void **state)
{
	struct machine *a = start(state, MANY);

	raise_lines(0, MANY);
	assert_int_equal(uc_close(&a->d, 1), 0);
	assert_int_equal(a->vcpus[0].handed_over, MANY);
	assert_int_equal(untaken(a, 0), 0);
}

/* ---- affinity ---- */

static void a_new_set_moves_what_waits_outside(void **state)
{
	struct machine *a = start(state, 3);
	uint64_t set = 0x4;

	assert_int_equal(uc_domain_set_policy(&a->d, UC_POLICY_PINNED), 0);
	raise_lines(0, 3);
	assert_int_equal(uc_port_set_affinity(&a->d, LINE + 1, &set), 0);
	assert_int_equal(untaken(a, 2), PRIO_BIT);
	assert_string_equal(runs(a, 2), "2:6");
	assert_string_equal(runs(a, 0), "0:5 0:7");
	all_is_clean(a);
}

static void the_domains_new_set_moves_what_waits_outside(void **state)
{
	struct machine *a = start(state, 4);
	uint64_t set = 0xc, own = 0x1;

	assert_int_equal(uc_domain_set_policy(&a->d, UC_POLICY_PINNED), 0);
	assert_int_equal(uc_port_set_affinity(&a->d, LINE + 1, &own), 0);
	assert_int_equal(uc_bind_vcpu(&a->d, LINE + 2, 1), 0);
	raise_lines(0, 4);
	send(a, 1);
	assert_int_equal(uc_domain_set_affinity(&a->d, &set), 0);
	assert_string_equal(runs(a, 0), "0:6 0:1");
	assert_string_equal(runs(a, 1), "");
	run_all(a);
	assert_string_equal(handled(a), "2:5 2:8 2:7");
	all_is_clean(a);
}

/* Behind more than one call's worth of others, which stay. */
static void a_new_set_moves_what_waits_however_deep(void **state)
{
	struct machine *a = start(state, MANY);
	uint64_t set = 0x4;

	assert_int_equal(uc_domain_set_policy(&a->d, UC_POLICY_PINNED), 0);
	raise_lines(0, MANY);
	assert_int_equal(uc_port_set_affinity(&a->d, LINE + MANY - 10, &set), 0);
	assert_string_equal(runs(a, 2), "2:695");
	assert_int_equal(untaken(a, 0), PRIO_BIT);
}

/* ---- changes while a raise is under way ---- */

/*
 * The raise has chosen vCPU 0, and holds the port's lock; then another thread takes vCPU 0 away. It
 * must wait for the raise, which cannot know, and then move what the raise has linked.
 */
static struct {
	struct machine *m;
	void (*change)(struct machine *m);
	pthread_t thread;
	bool started;
	uint32_t done, waits; /* it is through; it waits for a lock */
} late;

static void late_waits(void)
{
	__atomic_store_n(&late.waits, 1, __ATOMIC_SEQ_CST);
	sched_yield();
}

static void *late_thread(void *arg)
{
	(void)arg;
	late.change(late.m);
	__atomic_store_n(&late.done, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static enum uc_run_state change_now(void *ctx, const struct uc_vcpu *v, uint64_t *since)
{
	(void)ctx;
	*since = 0;
	if (v->id == 0 && !late.started && v->domain->ports[LINE].lock) {
		late.started = true;
		pthread_create(&late.thread, NULL, late_thread, NULL);
		while (!__atomic_load_n(&late.done, __ATOMIC_SEQ_CST) &&
		       !__atomic_load_n(&late.waits, __ATOMIC_SEQ_CST))
			sched_yield();
	}
	return v->id == 0 ? UC_VCPU_RUNNING : UC_VCPU_PREEMPTED;
}

static void vcpu_0_goes(struct machine *m)
{
	assert_int_equal(uc_close(&m->d, 1), 0);
}

static void vcpu_0_leaves_the_set(struct machine *m)
{
	uint64_t set = 0xe;

	assert_int_equal(uc_domain_set_affinity(&m->d, &set), 0);
}

static void line_0_leaves_vcpu_0(struct machine *m)
{
	uint64_t set = 0xe;

	assert_int_equal(uc_port_set_affinity(&m->d, LINE, &set), 0);
}

static void change_during_a_raise(struct world *w, void (*change)(struct machine *m))
{
	const struct uc_host_ops *whole = w->host.ops;
	struct uc_host_ops ops = *whole;
	struct machine *a = w->a;

	only_runs(a, 1);
	raise_line(&line[0]);
	run_all(a);
	handled(a);
	memset(&late, 0, sizeof(late));
	late.m = a;
	late.change = change;
	ops.run_state = change_now;
	w->host.ops = &ops;
	w->on_relax = late_waits;
	raise_line(&line[0]);
	assert_true(late.started);
	pthread_join(late.thread, NULL);
	w->host.ops = whole;
	assert_int_equal(untaken(a, 0), 0);
	assert_string_equal(runs(a, 0), "");
	run_all(a);
	assert_int_equal(times_handled(a, LINE), 1);
	all_is_clean(a);
}

static void a_vcpu_that_goes_waits_for_raises(void **state)
{
	start(state, 1);
	change_during_a_raise(*state, vcpu_0_goes);
}

static void a_new_domain_set_waits_for_raises(void **state)
{
	start(state, 1);
	change_during_a_raise(*state, vcpu_0_leaves_the_set);
}

static void a_new_set_waits_for_raises(void **state)
{
	start(state, 1);
	change_during_a_raise(*state, line_0_leaves_vcpu_0);
}

/* ---- more than one call looks at ---- */

static uint32_t next_expected;

static void in_order(struct machine *m, uint32_t vcpu, uint32_t port)
{
	(void)vcpu;
	uc_guest_clear(&m->guest, port);
	assert_int_equal(port, next_expected);
	next_expected++;
}

static void many_move_in_several_calls(void **state)
{
	struct machine *a = start(state, MANY);

	raise_lines(0, MANY);
	assert_int_equal(hand_over(a, 0, 1), 256);
	assert_int_equal(untaken(a, 0), PRIO_BIT);
	assert_true(uc_vcpu_upcall_pending(&a->vcpus[0]));
	assert_int_equal(control_of(a, 0)->head[UC_FIFO_PRIORITY_DEFAULT].raw, LINE + 256);
	assert_int_equal(hand_over(a, 0, 1), 256);
	assert_int_equal(hand_over(a, 0, 1), MANY - 512);
	assert_int_equal(hand_over(a, 0, 1), 0);
	a->on_handle = in_order;
	next_expected = LINE;
	assert_int_equal(run(a, 1), MANY);
	assert_int_equal(run_all(a), 0);
	all_is_clean(a);
}

static void what_lies_behind_keeps_its_place(void **state)
{
	struct machine *a = start(state, 400);

	for (uint32_t i = 0; i < 400; i++) {
		if (i == 100)
			send(a, 1);
		raise_line(&line[i]);
	}
	assert_int_equal(hand_over(a, 0, 1), 255);
	a->on_handle = in_order;
	next_expected = LINE;
	assert_int_equal(run(a, 1), 255);
	/* 0 has the IPI and what lies behind, and can be appended to. */
	only_runs(a, 0);
	raise_line(&line[0]);
	next_expected = 1;
	a->on_handle = NULL;
	assert_int_equal(word(a, 1) & UC_FIFO_LINK_MASK, LINE + 255);
	a->nr_log = 0;
	assert_int_equal(run(a, 0), 1 + (400 - 255) + 1);
	assert_int_equal(a->log[0].port, 1);
	for (uint32_t i = 255; i < 400; i++)
		assert_int_equal(a->log[i - 254].port, LINE + i);
	assert_int_equal(a->log[146].port, LINE);
	all_is_clean(a);
}

/* ---- hostile guests ---- */

static void clear_bits(struct machine *m, uint32_t port, uint32_t bits)
{
	__atomic_fetch_and(&word_of(m, port)->raw, ~bits, __ATOMIC_SEQ_CST);
}

/* After whatever it did, a guest that starts from clean words gets its events. */
static void guest_recovers(struct machine *m, uint32_t lines)
{
	memset(word_of(m, 0), 0, UC_FRAME_SIZE);
	for (uint32_t v = 0; v < VCPUS; v++) {
		memset(&control_of(m, v)->ready, 0, sizeof(uc_g32));
		m->gv[v].info->upcall_pending.raw = 0;
		memset(m->gv[v].head, 0, sizeof(m->gv[v].head));
	}
	only_runs(m, 0);
	m->nr_log = 0;
	raise_lines(0, lines);
	run_all(m);
	for (uint32_t i = 0; i < lines; i++)
		assert_int_equal(times_handled(m, LINE + i), 1);
}

static void a_link_that_the_guest_cut_ends_the_walk(void **state)
{
	struct machine *a = start(state, 5);

	raise_lines(0, 5);
	clear_bits(a, LINE + 2, UC_FIFO_LINKED);
	assert_int_equal(hand_over(a, 0, 1), 2);
	assert_string_equal(runs(a, 1), "1:5 1:6");
	guest_recovers(a, 5);
}

static void a_port_in_two_lists_is_taken_from_its_last_one_only(void **state)
{
	struct machine *a = start(state, 4);

	raise_lines(0, 3);
	clear_bits(a, LINE + 1, UC_FIFO_LINKED);
	only_runs(a, 2);
	raise_line(&line[1]); /* linked at 2, and still in our record of 0 */
	raise_line(&line[3]);
	assert_int_equal(hand_over(a, 0, 1), 1);
	assert_int_equal(hand_over(a, 2, 1), 2);
	guest_recovers(a, 4);
}

static void ready_set_by_the_guest_finds_nothing(void **state)
{
	struct machine *a = start(state, 3);

	for (uint32_t v = 0; v < VCPUS; v++)
		control_of(a, v)->ready.raw = (1u << UC_FIFO_QUEUES) - 1;
	for (uint32_t v = 0; v < VCPUS; v++)
		assert_int_equal(hand_over(a, v, 1), 0);
	/* It has misled itself: with READY set, nothing would tell it of the next event. */
	for (uint32_t v = 0; v < VCPUS; v++)
		control_of(a, v)->ready.raw = 0;
	raise_lines(0, 3);
	only_runs(a, 0);
	run_all(a);
	control_of(a, 1)->ready.raw = PRIO_BIT; /* the record is of a consumed list */
	assert_int_equal(hand_over(a, 1, 2), 0);
	guest_recovers(a, 3);
}

static void links_and_heads_of_the_guest_are_not_followed(void **state)
{
	struct machine *a = start(state, 4);

	raise_lines(0, 4);
	for (uint32_t i = 0; i < 4; i++) /* LINKs in a circle, out of range, to itself */
		word_of(a, LINE + i)->raw = UC_FIFO_PENDING | UC_FIFO_LINKED |
					    (i == 1   ? 0x1ffff
					     : i == 2 ? LINE + 2
						      : LINE);
	control_of(a, 0)->head[UC_FIFO_PRIORITY_DEFAULT].raw = 0xffffffff;
	assert_int_equal(hand_over(a, 0, 1), 4);
	assert_string_equal(runs(a, 1), "1:5 1:6 1:7 1:8");
	all_is_clean(a);
}

static uint32_t random_below(uint64_t *seed, uint32_t n)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (uint32_t)(*seed >> 20) % n;
}

static void scribble(struct machine *m, uint64_t *seed, uint32_t ports)
{
	uint32_t port = random_below(seed, ports), v = random_below(seed, VCPUS);

	switch (random_below(seed, 6)) {
	case 0:
		clear_bits(m, port, UC_FIFO_LINKED);
		break;
	case 1:
		word_of(m, port)->raw = random_below(seed, UINT32_MAX) << random_below(seed, 8);
		break;
	case 2:
		control_of(m, v)->ready.raw = random_below(seed, 1u << 16);
		break;
	case 3:
		control_of(m, v)->head[7].raw = random_below(seed, UINT32_MAX);
		break;
	case 4:
		clear_bits(m, port, UC_FIFO_LINKED | UC_FIFO_LINK_MASK | UC_FIFO_PENDING);
		break;
	default:
		m->gv[v].info->upcall_pending.raw = 0;
	}
}

static void act(struct machine *m, uint64_t *seed, uint32_t lines)
{
	uint32_t i = random_below(seed, lines), v = random_below(seed, VCPUS);
	uint64_t set = 1 + random_below(seed, 15);

	switch (random_below(seed, 8)) {
	case 0:
		uc_set_priority(&m->d, LINE + i, random_below(seed, 2) ? 7 : 3);
		break;
	case 1:
		uc_port_set_affinity(&m->d, LINE + i, &set);
		break;
	case 2:
		uc_bind_vcpu(&m->d, LINE + i, v);
		break;
	case 3:
		assert_true(hand_over(m, v, random_below(seed, VCPUS)) <= lines);
		break;
	case 4:
		uc_send(&m->d, 1 + v);
		break;
	default:
		raise_line(&line[i]);
	}
}

static void a_scribbling_guest_hurts_only_itself(void **state)
{
	struct machine *a = start(state, 20), *b = ((struct world *)*state)->b;
	uint64_t seed = 0x123456789abcdef;
	time_t begin = time(NULL);
	struct line other;

	start_fifo(b, 1);
	open_ipis(b);
	open_line(b, &other, 0);
	for (uint32_t i = 0; i < 400000; i++) {
		scribble(a, &seed, LINE + 20);
		act(a, &seed, 20);
		if (i % 1000)
			continue;
		raise_line(&other);
		assert_int_equal(run_all(b), 1);
		b->nr_log = 0;
	}
	assert_true(time(NULL) - begin < 30);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(uc_set_priority(&a->d, LINE + i, 7), 0);
	guest_recovers(a, 20);
	all_is_clean(b);
}

/* Each raise lengthens the record while the list stays one long: the bound is another one. */
static void a_record_without_end_ends(void **state)
{
	struct machine *a = start(state, 3);

	raise_lines(0, 3);
	for (uint32_t i = 0; i < 100000; i++) {
		uint32_t n = i % 2;

		clear_bits(a, LINE + n, UC_FIFO_LINKED);
		raise_line(&line[n]);
	}
	assert_true(hand_over(a, 0, 1) <= 3);
	guest_recovers(a, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_waits_moves_in_order),
		TEST(nothing_waits_nothing_moves),
		TEST(only_the_os_s_own_is_movable),
		TEST(the_host_is_told_of_what_could_move),
		TEST(the_host_is_told_of_what_is_behind_a_timer),
		TEST(a_domain_without_queues_has_nothing_to_move),
		TEST(who_runs_keeps_what_waits),
		TEST(what_stays_keeps_its_order_and_ready),
		TEST(links_are_clean),
		TEST(what_the_guest_has_taken_is_not_touched),
		TEST(each_priority_moves_to_its_own_queue),
		TEST(one_priority_taken_the_other_moves),
		TEST(a_new_priority_counts_for_what_moves),
		TEST(a_closed_port_stays_for_the_guest_to_unlink),
		TEST(a_masked_event_moves_and_comes_when_unmasked),
		TEST(an_event_the_guest_cleared_moves_unheard),
		TEST(pinned_ports_move_only_when_bound_elsewhere),
		TEST(a_list_may_go_to_several_vcpus),
		TEST(nobody_else_is_live),
		TEST(the_old_queue_starts_afresh),
		TEST(what_stays_gets_a_new_tail),
		TEST(a_moved_list_can_be_appended_to),
		TEST(a_list_moves_behind_what_waits_there),
		TEST(a_list_moves_behind_what_is_being_consumed),
		TEST(a_list_can_go_round),
		TEST(two_lists_cross),
		TEST(a_consumed_tail_that_moved_is_not_followed),
		TEST(what_is_put_back_is_announced_again),
		TEST(the_last_per_vcpu_port_closed_hands_over),
		TEST(a_vcpu_that_comes_back_gets_events),
		TEST(a_vcpu_that_goes_leaves_nothing_however_much_waits),
		TEST(a_new_set_moves_what_waits_outside),
		TEST(the_domains_new_set_moves_what_waits_outside),
		TEST(a_new_set_moves_what_waits_however_deep),
		TEST(a_vcpu_that_goes_waits_for_raises),
		TEST(a_new_domain_set_waits_for_raises),
		TEST(a_new_set_waits_for_raises),
		TEST(many_move_in_several_calls),
		TEST(what_lies_behind_keeps_its_place),
		TEST(a_link_that_the_guest_cut_ends_the_walk),
		TEST(a_port_in_two_lists_is_taken_from_its_last_one_only),
		TEST(ready_set_by_the_guest_finds_nothing),
		TEST(links_and_heads_of_the_guest_are_not_followed),
		TEST(a_scribbling_guest_hurts_only_itself),
		TEST(a_record_without_end_ends),
	};

	return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
