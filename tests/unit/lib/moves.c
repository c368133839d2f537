/* SPDX-License-Identifier: MIT */
/*
 * Events that move while they are raised, consumed, masked: senders, vCPUs that behave like Linux,
 * a thread that hands over and changes policies, sets, bindings, priorities and run states, and one
 * that takes vCPUs offline and brings them back as Linux does. Afterwards every line has been
 * handled after its last raise, no queue holds anything, per-vCPU events came on their vCPU, and
 * Linux had no "pending event" of a line to drop with an offline CPU's queues.
 *
 *   moves [RAISES [FILE]]   RAISES in all, in rounds that are each checked; FILE keeps the count,
 * so that a run that was stopped goes on
 *
 * A vCPU runs only when kicked. Built twice, as stress.c. Order is the business of handover.c:
 * events of one line coalesce, and among lines nothing is promised while they move.
 */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <upcall/route.h>
#include <xen/errno.h>
#include <xen/xen.h>

#define LINES	   12u
#define SENDERS	   2u
#define NUMBERS	   64u /* port numbers in use are below */
#define PATIENCE_S 100
#define ROUND	   2000000u /* raises between two checks */

void (*uc_step_hook)(const volatile void *address);
static uint64_t raises = 600000;
static const char *count_file;

/* What the guest knows of a source of events: lines, then an IPI and a timer for each vCPU. */
struct source {
	uint32_t is_line, vcpu;
	uint64_t raised, seen;
	uint32_t active; /* Linux's irq_info.is_active */
	uint32_t port;
};

static struct moves {
	struct machine *a;
	struct line line[LINES];
	struct source source[LINES + 2 * VCPUS];
	struct source *of_port[NUMBERS];
	uint32_t had[NUMBERS];		     /* vCPUs that had the number to themselves: a bitmap */
	uint32_t bound[LINES];		     /* as Linux knows it; under `hotplug` */
	bool online[VCPUS];		     /* as above */
	pthread_mutex_t hotplug, cpu[VCPUS]; /* cpu: held while that vCPU runs, or is offline */
	sem_t kicked[VCPUS];
	uint64_t kicks, runs;
	uint32_t stop, off, wrong, dropped; /* stop: host and hot plug; off: vCPUs */
	uint64_t offline;
	uint64_t goal; /* kept from round to round: last */
} s;

#define get(p)	  __atomic_load_n(&(p), __ATOMIC_SEQ_CST)
#define put(p, v) __atomic_store_n(&(p), v, __ATOMIC_SEQ_CST)
#define inc(p)	  __atomic_fetch_add(&(p), 1, __ATOMIC_SEQ_CST)

static __thread uint64_t seed;

static uint32_t random_below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16) % n;
}

static void seed_thread(uint64_t id)
{
	seed = 0x9e3779b97f4a7c15 * (id + 1) ^ s.goal;
}

static void give_away_at_random(const volatile void *address)
{
	(void)address;
	if (seed && random_below(24) == 0)
		sched_yield();
}

/* A guest's vCPU is preempted, and for longer: that is what hand-over is for. */
static void stop_at_random(void)
{
	if (random_below(64) == 0)
		for (uint32_t n = 1 + random_below(8); n; n--)
			sched_yield();
}

/* ---- the guest ---- */

static void on_kick(struct machine *m, uint32_t vcpu)
{
	if (m != s.a)
		return;
	inc(s.kicks);
	sem_post(&s.kicked[vcpu]);
}

static void take(struct source *src, uint32_t port)
{
	uint64_t raised;

	uc_guest_clear(&s.a->guest, port);
	raised = get(src->raised);
	put(src->seen, raised);
}

/* xen_lateeoi_chip: dropped when active elsewhere, masked while handled, unmasked at the end. */
static void handle_line(struct source *src, uint32_t port)
{
	if (__atomic_exchange_n(&src->active, 1, __ATOMIC_SEQ_CST))
		return;
	uc_guest_mask(&s.a->guest, port);
	take(src, port);
	if (random_below(16) == 0)
		sched_yield();
	put(src->active, 0);
	uc_guest_unmask(&s.a->guest, port);
}

/*
 * A vCPU's port comes to no other. But for one thing: when a vCPU goes offline its port may stay
 * linked, until it comes back and takes the port off its queue; then it clears LINKED, which frees
 * the number, and looks at PENDING, which may be the next owner's by then. Linux and Xen have that,
 * too, and nothing is lost by it.
 */
static void on_handle(struct machine *m, uint32_t vcpu, uint32_t port)
{
	struct source *src = port < NUMBERS ? get(s.of_port[port]) : NULL;

	if (!src) {
		uc_guest_clear(&m->guest, port);
		return;
	}
	if (src->is_line) {
		handle_line(src, port);
		return;
	}
	if (get(src->vcpu) != vcpu && !(get(s.had[port]) >> vcpu & 1))
		inc(s.wrong);
	take(src, port);
}

static void *vcpu_thread(void *arg)
{
	uint32_t vcpu = (uint32_t)(uintptr_t)arg;

	seed_thread(vcpu);
	for (;;) {
		sem_wait(&s.kicked[vcpu]);
		if (get(s.off))
			return NULL;
		pthread_mutex_lock(&s.cpu[vcpu]);
		run(s.a, vcpu);
		pthread_mutex_unlock(&s.cpu[vcpu]);
		inc(s.runs);
	}
}

static void open_per_vcpu(uint32_t v)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct source *src = &s.source[LINES + 2 * v + i];
		uint32_t port;

		assert_int_equal(i ? uc_bind_virq(&s.a->d, VIRQ_TIMER, v, &port)
				   : uc_bind_ipi(&s.a->d, v, &port),
				 0);
		assert_true(port < NUMBERS);
		put(src->vcpu, v);
		__atomic_fetch_or(&s.had[port], 1u << v, __ATOMIC_SEQ_CST);
		put(src->port, port);
		put(s.of_port[port], src);
	}
}

static void close_per_vcpu(uint32_t v)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct source *src = &s.source[LINES + 2 * v + i];
		uint32_t port = src->port;

		put(src->port, 0);
		assert_int_equal(uc_close(&s.a->d, port), 0);
		put(s.of_port[port], (struct source *)NULL);
	}
}

/* An affinity change as Linux makes one: mask, bind_vcpu, unmask. */
static void bind_line(uint32_t i, uint32_t v)
{
	uint32_t port = s.source[i].port;

	uc_guest_mask(&s.a->guest, port);
	uc_bind_vcpu(&s.a->d, port, v);
	s.bound[i] = v;
	uc_guest_unmask(&s.a->guest, port);
}

/*
 * __evtchn_fifo_handle_events() with drop set: what is left in the queues of a CPU that is gone is
 * unlinked, and a pending event is lost.
 */
static void drop_queues(uint32_t v)
{
	struct uc_fifo_control_block *control = control_of(s.a, v);
	uint32_t ready = __atomic_exchange_n(&control->ready.raw, 0, __ATOMIC_SEQ_CST);

	for (uint32_t q = 0; q < UC_FIFO_QUEUES; q++) {
		uint32_t port = __atomic_load_n(&control->head[q].raw, __ATOMIC_SEQ_CST), old;

		for (; ready & (1u << q) && port; port = old & UC_FIFO_LINK_MASK) {
			old = __atomic_fetch_and(&word_of(s.a, port)->raw,
						 ~(UC_FIFO_LINKED | UC_FIFO_LINK_MASK),
						 __ATOMIC_SEQ_CST);
			if ((old & (UC_FIFO_PENDING | UC_FIFO_MASKED)) == UC_FIFO_PENDING &&
			    get(s.of_port[port]))
				inc(s.dropped);
		}
	}
}

/* Interrupts are moved off the CPU, it stops, its per-vCPU ports are closed, its queues dropped. */
static void take_offline(uint32_t v)
{
	pthread_mutex_lock(&s.hotplug);
	s.online[v] = false;
	for (uint32_t i = 0; i < LINES; i++)
		if (s.bound[i] == v)
			bind_line(i, 0);
	pthread_mutex_unlock(&s.hotplug);
	pthread_mutex_lock(&s.cpu[v]);
	close_per_vcpu(v);
	for (uint32_t n = random_below(50); n; n--)
		sched_yield();
	drop_queues(v);
	inc(s.offline);
}

static void bring_online(uint32_t v)
{
	open_per_vcpu(v);
	pthread_mutex_unlock(&s.cpu[v]);
	pthread_mutex_lock(&s.hotplug);
	s.online[v] = true;
	pthread_mutex_unlock(&s.hotplug);
}

static void *hotplug_thread(void *arg)
{
	seed_thread((uintptr_t)arg);
	while (!get(s.stop)) {
		uint32_t v = 1 + random_below(VCPUS - 1);

		take_offline(v);
		usleep(random_below(300));
		bring_online(v);
		usleep(random_below(1000));
	}
	return NULL;
}

/* ---- the host ---- */

static void change_run_states(void)
{
	for (uint32_t v = 0; v < VCPUS; v++) {
		__atomic_store_n(&s.a->state[v], random_below(3), __ATOMIC_RELAXED);
		__atomic_store_n(&s.a->since[v], random_below(8), __ATOMIC_RELAXED);
	}
}

static void change_policy(void)
{
	/* Follow more often than the others. */
	enum uc_policy policy = random_below(2) ? UC_POLICY_FOLLOW : random_below(UC_POLICIES);

	if (random_below(2))
		assert_int_equal(uc_domain_set_policy(&s.a->d, policy), 0);
	else
		assert_int_equal(uc_port_set_policy(&s.a->d, s.source[random_below(LINES)].port,
						    random_below(3) ? UC_POLICIES : policy),
				 0);
}

static void change_set(void)
{
	uint64_t set = 1 + random_below(15);
	int rc;

	if (random_below(4) == 0)
		rc = uc_domain_set_affinity(&s.a->d, random_below(2) ? &set : NULL);
	else
		rc = uc_port_set_affinity(&s.a->d, s.source[random_below(LINES)].port,
					  random_below(3) ? &set : NULL);
	assert_true(rc == 0 || rc == -XEN_ENODEV);
}

static void rebind(void)
{
	uint32_t v = random_below(VCPUS);

	pthread_mutex_lock(&s.hotplug);
	if (s.online[v])
		bind_line(random_below(LINES), v);
	pthread_mutex_unlock(&s.hotplug);
}

static void *host_thread(void *arg)
{
	seed_thread((uintptr_t)arg);
	while (!get(s.stop)) {
		uint32_t what = random_below(64);

		if (what < 40)
			uc_vcpu_handover(&s.a->vcpus[random_below(VCPUS)]);
		else if (what < 52)
			change_run_states();
		else if (what < 56)
			change_policy();
		else if (what < 58)
			change_set();
		else if (what < 61)
			rebind();
		else
			uc_set_priority(&s.a->d, s.source[random_below(LINES)].port,
					random_below(2) ? UC_FIFO_PRIORITY_DEFAULT
							: random_below(UC_FIFO_QUEUES));
	}
	return NULL;
}

static void raise_source(uint32_t i)
{
	struct source *src = &s.source[i];
	uint32_t port;

	if (src->is_line) {
		inc(src->raised);
		uc_endpoint_raise(&s.line[i].e);
		return;
	}
	port = get(src->port);
	if (!port)
		return;
	inc(src->raised);
	if ((i - LINES) % 2)
		uc_virq_raise(&s.a->vcpus[get(src->vcpu)], VIRQ_TIMER);
	else
		uc_send(&s.a->d, port);
}

/* However the threads are scheduled, a round is not over before it has had its subject. */
static bool something_moved(void)
{
	uint64_t moved = 0;

	for (uint32_t v = 0; v < VCPUS; v++)
		moved += __atomic_load_n(&s.a->vcpus[v].handed_over, __ATOMIC_RELAXED);
	return moved && get(s.offline);
}

static void *sender_thread(void *arg)
{
	seed_thread(100 + (uintptr_t)arg);
	for (uint64_t i = 0; i < s.goal / SENDERS || !something_moved(); i++) {
		raise_source(random_below(8) ? random_below(LINES)
					     : LINES + random_below(2 * VCPUS));
		if (random_below(64) == 0)
			sched_yield(); /* else most find the event already on its way */
	}
	return NULL;
}

/* ---- one round ---- */

static void begin(struct world *w)
{
	memset(&s, 0, offsetof(struct moves, goal));
	s.a = w->a;
	start_fifo(s.a, 1);
	for (uint32_t v = 0; v < VCPUS; v++) {
		sem_init(&s.kicked[v], 0, 0);
		pthread_mutex_init(&s.cpu[v], NULL);
		s.online[v] = true;
		open_per_vcpu(v);
	}
	pthread_mutex_init(&s.hotplug, NULL);
	for (uint32_t i = 0; i < LINES; i++) {
		s.source[i].is_line = 1;
		s.source[i].port = open_line(s.a, &s.line[i], 0);
		s.of_port[s.source[i].port] = &s.source[i];
	}
	s.a->on_handle = on_handle;
	w->on_kick = on_kick;
	w->strict = true;
	w->on_stop = stop_at_random;
	w->on_relax = (void (*)(void))sched_yield;
}

/* Every kick has been answered by a run; a run may kick again, so then nothing is under way. */
static void wait_until_quiet(void)
{
	for (uint32_t ms = 0; ms < PATIENCE_S * 1000; ms++) {
		uint64_t runs = get(s.runs);

		if (runs == get(s.kicks))
			return;
		usleep(1000);
	}
	fail_msg("a vCPU does not come to an end");
}

static void run_threads(void)
{
	pthread_t vcpu[VCPUS], sender[SENDERS], host, hotplug;

	for (uintptr_t v = 0; v < VCPUS; v++)
		pthread_create(&vcpu[v], NULL, vcpu_thread, (void *)v);
	pthread_create(&host, NULL, host_thread, (void *)200);
	pthread_create(&hotplug, NULL, hotplug_thread, (void *)201);
	for (uintptr_t i = 0; i < SENDERS; i++)
		pthread_create(&sender[i], NULL, sender_thread, (void *)i);
	for (uint32_t i = 0; i < SENDERS; i++)
		pthread_join(sender[i], NULL);
	put(s.stop, 1);
	pthread_join(host, NULL);
	pthread_join(hotplug, NULL);
	/* All vCPUs are back: one more of each, so that a source stuck on the way shows. */
	for (uint32_t i = 0; i < LINES + 2 * VCPUS; i++)
		raise_source(i);
	wait_until_quiet();
	put(s.off, 1);
	for (uint32_t v = 0; v < VCPUS; v++) {
		sem_post(&s.kicked[v]);
		pthread_join(vcpu[v], NULL);
	}
}

static void check(void)
{
	struct uc_port_info info;

	assert_int_equal(s.a->astray, 0);
	assert_int_equal(s.wrong, 0);
	assert_int_equal(s.dropped, 0);
	for (uint32_t i = 0; i < LINES + 2 * VCPUS; i++) {
		assert_int_equal(s.source[i].seen, s.source[i].raised);
		assert_int_equal(uc_port_info(&s.a->d, s.source[i].port, &info), 0);
		assert_false(info.pending);
		assert_false(info.masked);
		assert_false(info.linked);
	}
	for (uint32_t v = 0; v < VCPUS; v++) {
		assert_false(uc_vcpu_upcall_pending(&s.a->vcpus[v]));
		assert_int_equal(uc_vcpu_untaken(&s.a->vcpus[v]), 0);
	}
}

static uint64_t count_so_far(void)
{
	FILE *f = count_file ? fopen(count_file, "r") : NULL;
	unsigned long long count = 0;

	if (f) {
		assert_int_equal(fscanf(f, "%llu", &count), 1);
		fclose(f);
	}
	return count;
}

static void keep_count(uint64_t count)
{
	FILE *f = count_file ? fopen(count_file, "w") : NULL;

	if (f) {
		fprintf(f, "%llu\n", (unsigned long long)count);
		assert_int_equal(fclose(f), 0);
	}
}

static void nothing_is_lost_while_events_move(void **state)
{
	uint64_t moved = 0, offline = 0, linked = 0, count = count_so_far();

	(void)state;
	while (count < raises) {
		struct world *w = world_create();

		alarm(2 * PATIENCE_S);
		s.goal = raises - count < ROUND ? raises - count : ROUND;
		uc_step_hook = give_away_at_random;
		begin(w);
		run_threads();
		uc_step_hook = NULL;
		check();
		for (uint32_t v = 0; v < VCPUS; v++) {
			moved += s.a->vcpus[v].handed_over;
			linked += uc_vcpu_linked(&s.a->vcpus[v]);
		}
		offline += s.offline;
		world_destroy(w);
		keep_count(count += s.goal);
	}
	print_message("%llu raises, %llu times linked, %llu of these by a hand-over, %llu times a "
		      "vCPU went offline\n",
		      (unsigned long long)count, (unsigned long long)linked,
		      (unsigned long long)moved, (unsigned long long)offline);
	assert_true(moved > 0 && offline > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_lost_while_events_move)};

	if (argc > 1)
		raises = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		count_file = argv[2];
	return cmocka_run_group_tests_name("moves", tests, NULL, NULL);
}
