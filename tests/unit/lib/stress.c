/* SPDX-License-Identifier: MIT */
/*
 * Senders, vCPUs that behave like Linux, and threads that rebind, change priorities, mask, close,
 * reopen and poll, all at once, for a fixed number of raises. Afterwards every port has been
 * handled after its last raise, the counts agree, per-vCPU events never came elsewhere.
 *
 * A vCPU runs only when kicked, so a missing edge shows as an event that nobody handled. Built
 * twice: as it is, and with the CPU given away at random before atomic accesses (step.h).
 */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xen/xen.h>

#define LINES	   16u /* moved, masked, given other priorities while raised */
#define SENDERS	   3u
#define CHURNS	   1500u
#define POLLS	   1500u
#define PATIENCE_S 60

void (*uc_step_hook)(const volatile void *address);
static uint32_t raises = 300000; /* by each sender */

enum kind { NONE, LINE, PER_VCPU, CHURN };

/* What the guest knows of one source of events. */
struct source {
	enum kind kind;
	uint32_t vcpu;		 /* PER_VCPU: the only one allowed */
	uint64_t raised, seen;	 /* raises begun; raises begun when last handled */
	uint64_t calls, cleared; /* handler calls; of these, PENDING was set */
	uint32_t active;	 /* Linux's irq_info.is_active */
};

static struct stress {
	struct machine *a, *b;
	bool fifo;
	struct line line[LINES], churn;
	uint32_t port_of_line[LINES], port_of_ipi[VCPUS], port_of_timer[VCPUS], polled;
	uint32_t pair_a, pair_b;
	struct source source[LINES + 2 * VCPUS + 2];
	struct source *of_port[64];
	sem_t kicked[VCPUS], woken;
	uint64_t kicks, runs;
	uint32_t stop, wrong, lost;
	uint64_t poll_asked, poll_answered;
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
	seed = 0x9e3779b97f4a7c15 * (id + 1);
}

static void give_away_at_random(const volatile void *address)
{
	(void)address;
	if (seed && random_below(24) == 0)
		sched_yield();
}

static void on_kick(struct machine *m, uint32_t vcpu)
{
	if (m != s.a)
		return;
	inc(s.kicks);
	sem_post(&s.kicked[vcpu]);
}

/* Clears PENDING; true when it was set. */
static bool take_pending(uint32_t port)
{
	uint64_t bit = 1ull << (port % 64);

	if (s.fifo)
		return __atomic_fetch_and(&word_of(s.a, port)->raw, ~UC_FIFO_PENDING,
					  __ATOMIC_SEQ_CST) &
		       UC_FIFO_PENDING;
	return __atomic_fetch_and(&shared_of(s.a)->pending[port / 64].raw, ~bit, __ATOMIC_SEQ_CST) &
	       bit;
}

static void take(struct source *src, uint32_t port)
{
	uint64_t raised;

	if (take_pending(port))
		inc(src->cleared);
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

static void on_handle(struct machine *m, uint32_t vcpu, uint32_t port)
{
	struct source *src = port < 64 ? get(s.of_port[port]) : NULL;

	if (m != s.a || !src) {
		uc_guest_clear(&m->guest, port);
		return;
	}
	inc(src->calls);
	if (src->kind == LINE) {
		handle_line(src, port);
		return;
	}
	if (src->kind == PER_VCPU && src->vcpu != vcpu)
		inc(s.wrong);
	take(src, port);
}

/* An affinity change as Linux makes one: mask, bind_vcpu, unmask. */
static void disturb(void)
{
	uint32_t port = s.port_of_line[random_below(LINES)];

	uc_guest_mask(&s.a->guest, port);
	if (s.fifo && random_below(2))
		uc_bind_vcpu(&s.a->d, port, random_below(VCPUS));
	if (s.fifo && random_below(4) == 0)
		uc_set_priority(&s.a->d, port, random_below(UC_FIFO_QUEUES));
	uc_guest_unmask(&s.a->guest, port);
}

static void *vcpu_thread(void *arg)
{
	uint32_t vcpu = (uint32_t)(uintptr_t)arg;

	seed_thread(vcpu);
	for (;;) {
		sem_wait(&s.kicked[vcpu]);
		if (get(s.stop))
			return NULL;
		if (random_below(8) == 0)
			disturb();
		run(s.a, vcpu);
		inc(s.runs);
	}
}

static void raise_source(uint32_t i)
{
	struct source *src = &s.source[i];

	inc(src->raised);
	if (i < LINES)
		uc_endpoint_raise(&s.line[i].e);
	else if (i < LINES + VCPUS)
		uc_send(&s.a->d, s.port_of_ipi[i - LINES]);
	else if (i < LINES + 2 * VCPUS)
		uc_virq_raise(&s.a->vcpus[i - LINES - VCPUS], VIRQ_TIMER);
	else
		uc_send(&s.b->d, s.pair_b);
}

static void *sender_thread(void *arg)
{
	seed_thread(100 + (uintptr_t)arg);
	for (uint32_t i = 0; i < raises; i++) {
		raise_source(random_below(LINES + 2 * VCPUS + 1));
		if (random_below(64) == 0)
			uc_endpoint_raise(&s.churn.e);
		if (random_below(256) == 0)
			disturb();
	}
	return NULL;
}

static bool wait_for(uint64_t *value, uint64_t wanted)
{
	time_t give_up = time(NULL) + PATIENCE_S;

	while (get(*value) < wanted) {
		if (time(NULL) > give_up)
			return false;
		sched_yield();
	}
	return true;
}

/* Open, raise, wait until handled, close; the number may still be in a queue then. */
static void *churn_thread(void *arg)
{
	struct source *src = &s.source[LINES + 2 * VCPUS + 1];

	seed_thread((uintptr_t)arg);
	for (uint32_t i = 0; i < CHURNS; i++) {
		uint32_t port;

		if (uc_endpoint_open(&s.churn.e, &s.a->d))
			inc(s.lost);
		port = s.churn.e.port;
		put(s.of_port[port], src);
		if (s.fifo)
			uc_bind_vcpu(&s.a->d, port, random_below(VCPUS));
		for (uint32_t n = 1 + random_below(3); n > 0; n--) {
			inc(src->raised);
			uc_endpoint_raise(&s.churn.e);
		}
		if (!wait_for(&src->seen, get(src->raised))) {
			inc(s.lost);
			return NULL;
		}
		if (random_below(2))
			uc_endpoint_raise(&s.churn.e);
		if (random_below(2))
			uc_endpoint_close(&s.churn.e);
		uc_close(&s.a->d, port);
		uc_endpoint_close(&s.churn.e);
	}
	return NULL;
}

static void *poll_thread(void *arg)
{
	seed_thread((uintptr_t)arg);
	for (uint32_t i = 1; i <= POLLS; i++) {
		struct timespec limit = {.tv_sec = time(NULL) + PATIENCE_S};
		int rc = uc_poll_begin(&s.a->vcpus[3], &s.polled, 1);

		if (rc == 0) {
			if (sem_timedwait(&s.woken, &limit))
				inc(s.lost);
			uc_poll_end(&s.a->vcpus[3]);
		}
		while (sem_trywait(&s.woken) == 0)
			;
		uc_guest_clear(&s.a->guest, s.polled);
		put(s.poll_answered, i);
	}
	return NULL;
}

/* One masked raise per answer, as a lock holder kicks one waiter. */
static void *poll_raiser_thread(void *arg)
{
	seed_thread((uintptr_t)arg);
	for (uint32_t i = 1; i <= POLLS; i++) {
		uc_send(&s.a->d, s.polled);
		if (!wait_for(&s.poll_answered, i)) {
			inc(s.lost);
			return NULL;
		}
	}
	return NULL;
}

static uint32_t tell(uint32_t i, enum kind kind, uint32_t vcpu, uint32_t port)
{
	s.source[i].kind = kind;
	s.source[i].vcpu = vcpu;
	s.of_port[port] = &s.source[i];
	s.a->gv[vcpu].bound[0] |= 1ull << port;
	return port;
}

static void open_all(struct world *w)
{
	uint32_t port;

	start_2l(w->b);
	s.pair_a = open_pair(s.a, s.b, &s.pair_b);
	tell(LINES + 2 * VCPUS, PER_VCPU, 0, s.pair_a);
	for (uint32_t i = 0; i < LINES; i++)
		s.port_of_line[i] = tell(i, LINE, i % VCPUS, open_line(s.a, &s.line[i], i % VCPUS));
	for (uint32_t v = 0; v < VCPUS; v++) {
		assert_int_equal(uc_bind_ipi(&s.a->d, v, &port), 0);
		s.port_of_ipi[v] = tell(LINES + v, PER_VCPU, v, port);
		assert_int_equal(uc_bind_virq(&s.a->d, VIRQ_TIMER, v, &port), 0);
		s.port_of_timer[v] = tell(LINES + VCPUS + v, PER_VCPU, v, port);
	}
	assert_int_equal(uc_bind_ipi(&s.a->d, 3, &s.polled), 0);
	uc_guest_mask(&s.a->guest, s.polled);
	s.source[LINES + 2 * VCPUS + 1].kind = CHURN;
	open_line(s.a, &s.churn, 0); /* sets notify, and in 2-level which vCPU looks at the port */
	for (port = s.churn.e.port; port < 64; port++)
		s.a->gv[0].bound[0] |= 1ull << port;
	uc_close(&s.a->d, s.churn.e.port);
	uc_endpoint_close(&s.churn.e);
}

/* Every kick has been answered by a run; a run may kick again, so then nothing is under way. */
static void wait_until_quiet(void)
{
	uint64_t runs;

	for (uint32_t ms = 0; ms < PATIENCE_S * 1000; ms++) {
		runs = get(s.runs);
		if (runs == get(s.kicks))
			return;
		usleep(1000);
	}
	fail_msg("a vCPU does not come to an end");
}

static void run_threads(void)
{
	pthread_t vcpu[VCPUS], worker[SENDERS + 3];

	for (uintptr_t v = 0; v < VCPUS; v++)
		pthread_create(&vcpu[v], NULL, vcpu_thread, (void *)v);
	for (uintptr_t i = 0; i < SENDERS; i++)
		pthread_create(&worker[i], NULL, sender_thread, (void *)i);
	pthread_create(&worker[SENDERS], NULL, churn_thread, (void *)200);
	pthread_create(&worker[SENDERS + 1], NULL, poll_thread, (void *)201);
	pthread_create(&worker[SENDERS + 2], NULL, poll_raiser_thread, (void *)202);
	for (uint32_t i = 0; i < SENDERS + 3; i++)
		pthread_join(worker[i], NULL);
	wait_until_quiet();
	put(s.stop, 1);
	for (uint32_t v = 0; v < VCPUS; v++) {
		sem_post(&s.kicked[v]);
		pthread_join(vcpu[v], NULL);
	}
}

static void check(void)
{
	struct uc_port_info info;

	assert_int_equal(s.lost, 0);
	assert_int_equal(s.wrong, 0);
	for (uint32_t port = 1; port < 64; port++) {
		struct source *src = s.of_port[port];

		if (!src || src->kind == CHURN)
			continue;
		assert_true(src->raised > 0);
		assert_int_equal(src->seen, src->raised);
		assert_int_equal(uc_port_info(&s.a->d, port, &info), 0);
		assert_int_equal(info.events, src->cleared + (port == s.pair_a));
		if (src->kind == PER_VCPU && s.fifo)
			assert_int_equal(info.events, src->calls + (port == s.pair_a));
		assert_false(info.pending);
		assert_false(info.masked);
		assert_false(info.linked);
	}
	for (uint32_t v = 0; v < VCPUS; v++)
		assert_false(uc_vcpu_upcall_pending(&s.a->vcpus[v]));
}

static void on_wake(struct machine *m, uint32_t vcpu)
{
	if (m == s.a && vcpu == 3)
		sem_post(&s.woken);
}

static void stress(struct world *w, bool fifo)
{
	alarm(4 * PATIENCE_S);
	memset(&s, 0, sizeof(s));
	s.a = w->a;
	s.b = w->b;
	s.fifo = fifo;
	for (uint32_t v = 0; v < VCPUS; v++)
		sem_init(&s.kicked[v], 0, 0);
	sem_init(&s.woken, 0, 0);
	if (fifo)
		start_fifo(s.a, 1);
	else
		start_2l(s.a);
	open_all(w);
	s.a->on_handle = s.b->on_handle = on_handle;
	w->on_kick = on_kick;
	w->on_wake = on_wake;
	w->on_relax = (void (*)(void))sched_yield;
	uc_step_hook = give_away_at_random;
	run_threads();
	uc_step_hook = NULL;
	check();
}

static void nothing_is_lost_in_fifo(void **state)
{
	stress(*state, true);
}

static void nothing_is_lost_in_2l(void **state)
{
	stress(*state, false);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_lost_in_fifo),
		TEST(nothing_is_lost_in_2l),
	};

	if (argc > 1)
		raises = (uint32_t)atoi(argv[1]);
	return cmocka_run_group_tests_name("stress", tests, NULL, NULL);
}
