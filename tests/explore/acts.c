/* SPDX-License-Identifier: MIT */
/* See acts.h. Built with access.h: what a guest does here is a step of its own. */
#include "acts.h"

#include <upcall/route.h>

#define TAKE_MAX 8 /* what takes_anything() follows in a queue */

static void see(struct scene *s, uint32_t port)
{
	for (uint32_t i = 0; i < LINES; i++)
		if (s->port[i] == port)
			s->seen[i] = s->sent[i];
}

static void note(struct machine *m, uint32_t v, uint32_t port)
{
	struct scene *s = scene_get();

	if (m == s->a)
		see(s, port);
	assert_true(m->nr_log < sizeof(m->log) / sizeof(m->log[0]));
	m->log[m->nr_log++] = (struct handled){v, port};
}

void clears(struct machine *m, uint32_t v, uint32_t port)
{
	uc_guest_clear(&m->guest, port);
	note(m, v, port);
}

void masks_and_unmasks(struct machine *m, uint32_t v, uint32_t port)
{
	uc_guest_mask(&m->guest, port);
	uc_guest_clear(&m->guest, port);
	note(m, v, port);
	uc_guest_unmask(&m->guest, port);
}

void with_lines(struct scene *s)
{
	s->a->on_handle = clears;
	s->b->on_handle = clears;
	for (uint32_t i = 0; i < 3; i++)
		s->port[i] = open_line(s->a, &s->l[i], 0);
}

void with_2l(struct scene *s)
{
	start_2l(s->a);
	with_lines(s);
}

void with_fifo(struct scene *s)
{
	start_fifo(s->a, 1);
	with_lines(s);
}

static void settle(struct scene *s)
{
	for (uint32_t i = 0; i < 3; i++)
		raise_line(&s->l[i]);
	run_all(s->a);
}

void with_settled(struct scene *s)
{
	with_fifo(s);
	settle(s);
}

void only_runs(struct scene *s, uint32_t who)
{
	for (uint32_t v = 0; v < VCPUS; v++) {
		s->a->state[v] = v == who ? UC_VCPU_RUNNING : UC_VCPU_PREEMPTED;
		s->a->since[v] = v;
	}
}

void with_follow(struct scene *s)
{
	start_fifo(s->a, 1);
	open_ipis(s->a);
	uc_domain_set_policy(&s->a->d, UC_POLICY_FOLLOW);
	with_lines(s);
	only_runs(s, 0);
	settle(s);
}

void with_waiting(struct scene *s)
{
	with_follow(s);
	raises(s, 0);
	raises(s, 1);
	only_runs(s, 1);
}

void with_victim(struct scene *s)
{
	start_fifo(s->b, 1);
	s->victim = open_line(s->b, &s->victim_line, 0);
}

static void vcpu_of(struct machine *m, uint32_t v, uint32_t *taken)
{
	for (;;) {
		*taken = engine_wait(&m->kicks[v], *taken);
		run(m, v);
	}
}

void vcpu(struct scene *s, uint32_t v)
{
	vcpu_of(s->a, v, &s->taken[0][v]);
}

void vcpu_of_b(struct scene *s, uint32_t v)
{
	vcpu_of(s->b, v, &s->taken[1][v]);
}

/* The guest may have closed it: then nothing has to come. */
void raises(struct scene *s, uint32_t line)
{
	int rc;

	s->sent[line]++;
	BOUNDED(RAISE_WORDS, rc = uc_endpoint_raise(&s->l[line].e));
	if (rc)
		s->seen[line] = s->sent[line];
}

void raises_twice(struct scene *s, uint32_t line)
{
	raises(s, line);
	raises(s, line);
}

void raises_in_order(struct scene *s, uint32_t none)
{
	(void)none;
	for (uint32_t i = 0; i < 3; i++)
		raises(s, i);
}

void raises_victim(struct scene *s, uint32_t none)
{
	(void)none;
	BOUNDED(RAISE_WORDS, raise_line(&s->victim_line));
}

void hands_over(struct scene *s, uint32_t v)
{
	BOUNDED(CONTROL_WORDS(uc_ports_valid(&s->a->d)), uc_vcpu_handover(&s->a->vcpus[v]));
}

static uint32_t take(struct machine *m, uint32_t port)
{
	port &= 31;
	__atomic_fetch_and(&word_of(m, port)->raw, ~UC_FIFO_PENDING, __ATOMIC_SEQ_CST);
	return __atomic_fetch_and(&word_of(m, port)->raw, ~(UC_FIFO_LINKED | UC_FIFO_LINK_MASK),
				  __ATOMIC_SEQ_CST) &
	       UC_FIFO_LINK_MASK;
}

void takes_anything(struct scene *s, uint32_t v)
{
	struct uc_fifo_control_block *control = control_of(s->a, v);
	uint32_t ready, port;

	__atomic_store_n(&shared_of(s->a)->vcpu_info[v].upcall_pending.raw, 0, __ATOMIC_SEQ_CST);
	ready = __atomic_exchange_n(&control->ready.raw, 0, __ATOMIC_SEQ_CST);
	for (; ready; ready &= ready - 1) {
		port = control->head[__builtin_ctz(ready) % UC_FIFO_QUEUES].raw;
		for (uint32_t n = 0; n < TAKE_MAX && port; n++)
			port = take(s->a, port);
	}
}
