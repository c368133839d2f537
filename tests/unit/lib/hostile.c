/* SPDX-License-Identifier: MIT */
/*
 * A guest that writes what it likes into every word it shares, at random (seeded) between
 * operations and from a second thread during them. Nothing may be accessed outside the guest's
 * frames (the sanitizers watch), nothing may hang, the other domain notices nothing.
 */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include <xen/errno.h>
#include <xen/xen.h>

#include <xen/event_channel.h>

#define LINES  24u
#define ROUNDS 30000u

static struct line lines[LINES];

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Words that matter, with values that matter: ports that exist, ports that do not, all flags. */
static void scribble(struct machine *m, uint64_t r)
{
	uint32_t value = (uint32_t)(r >> 24), *words;

	switch (r % 5) {
	case 0:
		words = frame_of(m, FRAME_SHARED);
		break;
	case 1:
		words = frame_of(m, FRAME_CONTROL + (uint32_t)(r >> 8) % VCPUS);
		break;
	case 2:
		__atomic_store_n(&word_of(m, (r >> 8) % 64)->raw, UC_FIFO_LINKED | (value & 63),
				 __ATOMIC_SEQ_CST);
		return;
	case 3:
		__atomic_store_n(&word_of(m, (r >> 8) % 64)->raw, value, __ATOMIC_SEQ_CST);
		return;
	default:
		__atomic_store_n(&word_of(m, (r >> 8) % 64)->raw, 0, __ATOMIC_SEQ_CST);
		return;
	}
	__atomic_store_n(&words[(r >> 8) % (UC_FRAME_SIZE / 4)], value, __ATOMIC_SEQ_CST);
}

/* Any hypercall with any argument near what is valid; results do not matter. */
static void any_operation(struct machine *m, uint64_t r)
{
	static const uint32_t edge[] = {0, 4095, 4096, 8191, 8192, 0x1ffff, 0x20000, UINT32_MAX};
	uint32_t port = (r >> 8) % 8 ? (uint32_t)(r >> 12) % 48 : edge[(r >> 12) % 8];
	uint32_t line = (uint32_t)(r >> 20) % LINES, out;

	switch (r % 12) {
	case 0:
		uc_bind_vcpu(&m->d, port, (uint32_t)(r >> 30) % (VCPUS + 1));
		break;
	case 1:
		uc_set_priority(&m->d, port, (uint32_t)(r >> 30) % 18);
		break;
	case 2:
		uc_unmask(&m->d, port);
		break;
	case 3:
		uc_send(&m->d, port);
		break;
	case 4:
		if (port != 1)
			uc_close(&m->d, port);
		break;
	case 5:
		uc_bind_ipi(&m->d, (uint32_t)(r >> 30) % (VCPUS + 1), &out);
		break;
	case 6:
		uc_endpoint_close(&lines[line].e);
		uc_endpoint_open(&lines[line].e, &m->d);
		break;
	case 7:
		if (!uc_poll_begin(&m->vcpus[0], &port, 1))
			uc_poll_end(&m->vcpus[0]);
		break;
	default:
		uc_endpoint_raise(&lines[line].e);
	}
}

static void start_victim(struct world *w, uint32_t *mine, uint32_t *hers)
{
	start_fifo(w->a, 1);
	start_fifo(w->b, 1);
	*hers = open_pair(w->b, w->a, mine);
	assert_int_equal(*mine, 1);
	for (uint32_t i = 0; i < LINES; i++)
		open_line(w->a, &lines[i], i % VCPUS);
}

static void other_domain_works(struct machine *b, uint32_t port)
{
	struct line l;
	uint32_t own = open_line(b, &l, 2);

	run_all(b);
	handled(b);
	raise_line(&l);
	run_all(b);
	assert_int_equal(times_handled(b, own), 1);
	assert_int_equal(uc_send(&b->d, port), 0);
	uc_close(&b->d, own);
	uc_endpoint_close(&l.e);
	b->nr_log = 0;
}

/* The guest mends its words, closes everything and starts again: the host's state is as new. */
static void works_after_repair(struct machine *a)
{
	struct line l;
	uint32_t port;

	for (uint32_t i = 0; i < LINES; i++)
		uc_endpoint_close(&lines[i].e);
	for (port = 1; port < uc_ports_valid(&a->d); port++)
		uc_close(&a->d, port);
	for (port = 0; port < UC_FIFO_WORDS_PER_PAGE; port++)
		word_of(a, port)->raw = 0;
	for (uint32_t v = 0; v < VCPUS; v++) {
		*control_of(a, v) = (struct uc_fifo_control_block){0};
		shared_of(a)->vcpu_info[v].upcall_pending.raw = 0;
		a->gv[v] = (struct uc_guest_vcpu){.guest = &a->guest,
						  .id = v,
						  .info = a->gv[v].info,
						  .control = a->gv[v].control};
	}
	for (uint32_t i = 0; i < 40; i++) {
		port = open_line(a, &l, i % VCPUS);
		raise_line(&l);
		run_all(a);
		assert_int_equal(times_handled(a, port), 1);
		assert_int_equal(a->log[a->nr_log - 1].vcpu, i % VCPUS);
		a->nr_log = 0;
		uc_close(&a->d, port);
		uc_endpoint_close(&l.e);
	}
}

static void scribbling_between_operations(void **state)
{
	struct world *w = *state;
	uint64_t seed = 0x9e3779b97f4a7c15;
	uint32_t mine, hers;

	start_victim(w, &mine, &hers);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		scribble(w->a, next_random(&seed));
		any_operation(w->a, next_random(&seed));
		if (i % 1000 == 0)
			other_domain_works(w->b, hers);
	}
	works_after_repair(w->a);
}

static void scribbling_between_operations_in_2l(void **state)
{
	struct world *w = *state;
	uint64_t seed = 42;

	start_2l(w->a);
	for (uint32_t i = 0; i < LINES; i++)
		open_line(w->a, &lines[i], i % VCPUS);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		scribble(w->a, next_random(&seed));
		any_operation(w->a, next_random(&seed));
	}
	/* Bits the guest set itself are carried over, or not; nothing else happens. */
	for (uint32_t v = 0; v < VCPUS; v++)
		start_control(w->a, v);
	assert_int_equal(add_page(w->a), 0);
	works_after_repair(w->a);
}

static struct {
	struct machine *m;
	uint32_t stop;
	uint64_t seed;
} thread;

static void *scribble_on(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&thread.stop, __ATOMIC_SEQ_CST))
		scribble(thread.m, next_random(&thread.seed));
	return NULL;
}

static void scribbling_during_operations(void **state)
{
	struct world *w = *state;
	uint64_t seed = 7;
	uint32_t mine, hers;
	pthread_t scribbler;

	start_victim(w, &mine, &hers);
	thread.m = w->a;
	thread.seed = 99;
	thread.stop = 0;
	assert_int_equal(pthread_create(&scribbler, NULL, scribble_on, NULL), 0);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		any_operation(w->a, next_random(&seed));
		if (i % 1000 == 0)
			other_domain_works(w->b, hers);
	}
	__atomic_store_n(&thread.stop, 1, __ATOMIC_SEQ_CST);
	pthread_join(scribbler, NULL);
	works_after_repair(w->a);
}

static void links_to_nowhere_are_never_followed(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l[3];

	start_fifo(a, 1);
	for (int i = 0; i < 3; i++)
		open_line(a, &l[i], 0);
	raise_line(&l[0]);
	word_of(a, 1)->raw |= UC_FIFO_LINK_MASK;
	raise_line(&l[1]);
	assert_int_equal(word(a, 1), UC_FIFO_PENDING | UC_FIFO_LINKED | 2);
	control_of(a, 0)->head[UC_FIFO_PRIORITY_DEFAULT].raw = UINT32_MAX;
	word_of(a, 2)->raw = UC_FIFO_PENDING | UC_FIFO_LINKED | 0x1fff0;
	raise_line(&l[2]);
	assert_int_equal(word(a, 2), UC_FIFO_PENDING | UC_FIFO_LINKED | 3);
}

static void linked_set_on_every_word_leaves_the_guest_without_ports_only(void **state)
{
	struct world *w = *state;
	struct line l;
	uint32_t port, mine, hers;

	start_victim(w, &mine, &hers);
	for (port = 2; port < uc_ports_valid(&w->a->d); port++)
		assert_int_equal(uc_close(&w->a->d, port), 0);
	for (port = 0; port < UC_FIFO_WORDS_PER_PAGE; port++)
		word_of(w->a, port)->raw = UINT32_MAX;
	assert_int_equal(uc_alloc_unbound(&w->a->d, ID_B, &port), 0);
	assert_int_equal(port, LINES + 2); /* never allocated before: its word is not asked */
	assert_int_equal(uc_close(&w->a->d, port), 0);
	assert_int_equal(uc_alloc_unbound(&w->a->d, ID_B, &port), 0);
	assert_int_equal(port, LINES + 3);
	open_line(w->b, &l, 0);
	raise_line(&l);
	assert_int_equal(run_all(w->b), 1);
	assert_int_equal(uc_send(&w->b->d, hers), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(scribbling_between_operations),
		TEST(scribbling_between_operations_in_2l),
		TEST(scribbling_during_operations),
		TEST(links_to_nowhere_are_never_followed),
		TEST(linked_set_on_every_word_leaves_the_guest_without_ports_only),
	};

	return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
