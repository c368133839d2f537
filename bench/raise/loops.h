/* SPDX-License-Identifier: MIT */
/*
 * The measured loops, compiled once for each contender: `t` is a constant there, so its functions
 * are called directly, or inlined when the contender's file holds them. Included by contenders
 * only.
 */
#ifndef BENCH_RAISE_LOOPS_H
#define BENCH_RAISE_LOOPS_H

#include "bench.h"

#define BURST  64u
#define WINDOW 1024u /* of the stream: ports, and events under way at most */

struct target {
	void (*raise)(void *world, uint32_t index);
	void (*mask)(void *world, uint32_t index);
	void (*unmask)(void *world, uint32_t index);
	/* Handler calls made. Returns 0 at once when nothing is there. */
	uint32_t (*consume)(void *world, uint32_t vcpu);
	/* Of the stream: how often the handler ran for this port. Read by the sender. */
	uint32_t *(*done)(void *world);
};

#define LOOP static inline __attribute__((always_inline))

LOOP void loop_one(const struct target *t, struct work *w)
{
	uint64_t start = ticks(), handled = 0;

	for (uint64_t n = w->events; n; n--) {
		t->raise(w->world, 0);
		handled += t->consume(w->world, 0);
	}
	w->ticks = ticks() - start;
	w->timed = w->expected = w->events;
	w->handled = handled;
}

/* One of the ports at random, raised and consumed. */
LOOP void loop_random(const struct target *t, struct work *w)
{
	uint64_t start = ticks(), handled = 0;
	uint32_t x = 1 + (uint32_t)start;

	for (uint64_t n = w->events; n; n--) {
		uint32_t index;

		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		index = (uint32_t)((uint64_t)x * w->shape->ports >> 32);
		t->raise(w->world, index);
		handled += t->consume(w->world, vcpu_of(w->shape, index));
	}
	w->ticks = ticks() - start;
	w->timed = w->expected = w->events;
	w->handled = handled;
}

/* Not inlined: bench/raise/instructions has callgrind count inside these alone. */
#define PART static __attribute__((noinline))

#define DEFINE_PARTS(target)                                                                       \
	PART void raise_burst(void *world)                                                         \
	{                                                                                          \
		for (uint32_t i = 0; i < BURST; i++)                                               \
			(target).raise(world, i);                                                  \
	}                                                                                          \
	PART uint32_t consume_burst(void *world, uint32_t vcpus)                                   \
	{                                                                                          \
		uint32_t handled = 0;                                                              \
                                                                                                   \
		for (uint32_t v = 0; v < vcpus; v++)                                               \
			handled += (target).consume(world, v);                                     \
		return handled;                                                                    \
	}

LOOP void loop_burst(void (*raise)(void *), uint32_t (*consume)(void *, uint32_t), struct work *w,
		     bool time_raise)
{
	w->ticks = w->handled = 0;
	for (uint64_t n = w->events; n; n -= BURST) {
		uint64_t a = ticks(), b;

		raise(w->world);
		b = ticks();
		w->handled += consume(w->world, w->shape->vcpus);
		w->ticks += time_raise ? b - a : ticks() - b;
	}
	w->timed = w->expected = w->events;
}

/* The first is not timed; the others find it on its way. */
LOOP void loop_pending(const struct target *t, void (*raise)(void *, uint64_t), struct work *w)
{
	uint64_t start;

	t->raise(w->world, 0);
	start = ticks();
	raise(w->world, w->events);
	w->ticks = ticks() - start;
	w->timed = w->events;
	w->expected = 1;
	w->handled = t->consume(w->world, 0);
}

/* PENDING is cleared by nobody: all but the first find it set, too, as a back end does mostly. */
LOOP void loop_masked(const struct target *t, void (*raise)(void *, uint64_t), struct work *w)
{
	uint64_t start;

	t->mask(w->world, 0);
	start = ticks();
	raise(w->world, w->events);
	w->ticks = ticks() - start;
	w->timed = w->events;
	w->expected = 1;
	w->handled = t->consume(w->world, 0);
	w->handled += w->handled ? 1 : 0; /* a handler call while masked is an error */
	t->unmask(w->world, 0);
	w->handled += t->consume(w->world, 0);
}

LOOP void loop_cycle(const struct target *t, struct work *w)
{
	uint64_t start = ticks(), handled = 0;

	for (uint64_t n = w->events; n; n--) {
		t->mask(w->world, 0);
		t->raise(w->world, 0);
		t->unmask(w->world, 0);
		handled += t->consume(w->world, 0);
	}
	w->ticks = ticks() - start;
	w->timed = w->expected = w->events;
	w->handled = handled;
}

LOOP uint64_t consume_all(const struct target *t, const struct work *w)
{
	uint64_t handled = 0;

	for (uint32_t v = 0; v < w->shape->vcpus; v++)
		handled += t->consume(w->world, v);
	return handled;
}

/*
 * Both threads raise each port of theirs once, at the same time; then all is consumed, untimed. The
 * ports of a thread are half of the block's, or every second when the blocks are single ports.
 */
LOOP void loop_senders(const struct target *t, struct work *w)
{
	uint32_t half = w->shape->ports / 2, step = w->shape->block == 1 ? 2 : 1;
	uint32_t first = w->thread * (step == 2 ? 1 : half);
	uint64_t start;

	w->ticks = w->handled = 0;
	for (uint64_t n = w->events; n; n -= w->shape->ports) {
		threads_meet();
		start = ticks();
		for (uint32_t i = 0; i < half; i++)
			t->raise(w->world, first + i * step);
		w->ticks += ticks() - start;
		threads_meet();
		if (w->thread == 0)
			w->handled += consume_all(t, w);
	}
	w->timed = w->events / 2;
	w->expected = w->thread == 0 ? w->events : 0;
}

/* Both raise a port of their own that is on its way already; nobody consumes meanwhile. */
LOOP void loop_pending_senders(const struct target *t, struct work *w)
{
	uint32_t index = w->thread * w->shape->ports / 2;
	uint64_t start;

	threads_meet();
	t->raise(w->world, index);
	threads_meet();
	start = ticks();
	for (uint64_t n = w->events / 2; n; n--)
		t->raise(w->world, index);
	w->ticks = ticks() - start;
	threads_meet();
	w->timed = w->events / 2;
	w->expected = w->thread == 0 ? 2 : 0;
	w->handled = w->thread == 0 ? consume_all(t, w) : 0;
	threads_meet();
}

LOOP void stream_send(const struct target *t, struct work *w)
{
	uint32_t *done = t->done(w->world), first = __atomic_load_n(&done[0], __ATOMIC_ACQUIRE);
	uint64_t start;

	threads_meet();
	start = ticks();
	for (uint64_t n = 0; n < w->events + WINDOW; n++) {
		/* A port is raised again when its last event was handled; the end waits for all. */
		while (__atomic_load_n(&done[n % WINDOW], __ATOMIC_ACQUIRE) - first <
		       (uint32_t)(n / WINDOW))
			threads_relax();
		if (n < w->events)
			t->raise(w->world, (uint32_t)(n % WINDOW));
	}
	w->ticks = ticks() - start;
	w->timed = w->events;
	w->expected = w->handled = 0;
}

LOOP void stream_consume(const struct target *t, struct work *w)
{
	w->ticks = w->timed = w->handled = 0;
	w->expected = w->events;
	threads_meet();
	while (w->handled < w->expected) {
		uint32_t some = t->consume(w->world, 0);

		if (!some)
			threads_relax();
		w->handled += some;
	}
}

LOOP void loop_stream(const struct target *t, struct work *w)
{
	if (w->thread == 0)
		stream_send(t, w);
	else
		stream_consume(t, w);
}

/* All loops of the file's target; RUN_LOOPS is the contender's `run`. */
#define DEFINE_LOOPS(target)                                                                       \
	DEFINE_PARTS(target)                                                                       \
	static void run_one(struct work *w)                                                        \
	{                                                                                          \
		loop_one(&(target), w);                                                            \
	}                                                                                          \
	static void run_burst_raise(struct work *w)                                                \
	{                                                                                          \
		loop_burst(raise_burst, consume_burst, w, true);                                   \
	}                                                                                          \
	static void run_burst_consume(struct work *w)                                              \
	{                                                                                          \
		loop_burst(raise_burst, consume_burst, w, false);                                  \
	}                                                                                          \
	static void run_random(struct work *w)                                                     \
	{                                                                                          \
		loop_random(&(target), w);                                                         \
	}                                                                                          \
	static void run_senders(struct work *w)                                                    \
	{                                                                                          \
		loop_senders(&(target), w);                                                        \
	}                                                                                          \
	static void run_stream(struct work *w)                                                     \
	{                                                                                          \
		loop_stream(&(target), w);                                                         \
	}

/* Those for which an event can be on its way already. */
#define DEFINE_PENDING_LOOPS(target)                                                               \
	PART void raise_same(void *world, uint64_t times)                                          \
	{                                                                                          \
		while (times--)                                                                    \
			(target).raise(world, 0);                                                  \
	}                                                                                          \
	static void run_pending(struct work *w)                                                    \
	{                                                                                          \
		loop_pending(&(target), raise_same, w);                                            \
	}                                                                                          \
	static void run_pending_senders(struct work *w)                                            \
	{                                                                                          \
		loop_pending_senders(&(target), w);                                                \
	}

/* Those that need a mask. */
#define DEFINE_MASK_LOOPS(target)                                                                  \
	static void run_masked(struct work *w)                                                     \
	{                                                                                          \
		loop_masked(&(target), raise_same, w);                                             \
	}                                                                                          \
	static void run_cycle(struct work *w)                                                      \
	{                                                                                          \
		loop_cycle(&(target), w);                                                          \
	}

#define RUN_LOOPS                                                                                  \
	[KIND_ONE] = run_one, [KIND_BURST_RAISE] = run_burst_raise,                                \
	[KIND_BURST_CONSUME] = run_burst_consume, [KIND_RANDOM] = run_random,                      \
	[KIND_SENDERS] = run_senders, [KIND_STREAM] = run_stream
#define RUN_PENDING_LOOPS [KIND_PENDING] = run_pending, [KIND_PENDING_SENDERS] = run_pending_senders
#define RUN_MASK_LOOPS	  [KIND_MASKED] = run_masked, [KIND_CYCLE] = run_cycle

#endif
