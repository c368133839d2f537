/* SPDX-License-Identifier: MIT */
/*
 * bench/raise: what an event costs, for libupcall and for others, in one run.
 *
 * A case says what is done (raise one and consume it, ...); a contender is somebody who can do it.
 * A cell is a case of one contender, with a world (its memory, ports, vCPUs) of its own that lives
 * as long as the run. Rounds of a few milliseconds of each cell alternate, so that the machine's
 * moods fall on all. Every round counts the events that it raised and the calls of the handler.
 */
#ifndef BENCH_RAISE_BENCH_H
#define BENCH_RAISE_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ports are named by an index, 0 .. ports - 1, and lie in blocks on the vCPUs or priorities. */
struct shape {
	uint32_t ports, vcpus, priorities;
	uint32_t block;	 /* so many neighbours have the same vCPU and priority */
	bool count_done; /* the sender looks how often the handler ran for each port */
};

static inline uint32_t vcpu_of(const struct shape *s, uint32_t index)
{
	return index / s->block % s->vcpus;
}

/* What a thread of a round does, and what came of it. */
struct work {
	void *world;
	const struct shape *shape;
	uint32_t thread;
	uint64_t events;   /* to be raised; in: a wish, out: what was raised by this thread */
	uint64_t ticks;	   /* the time that counts */
	uint64_t timed;	   /* events that it was for */
	uint64_t expected; /* handler calls */
	uint64_t handled;
};

/* Each runs in as many threads as the case has. */
enum kind {
	KIND_ONE,
	KIND_BURST_RAISE,
	KIND_BURST_CONSUME,
	KIND_PENDING,
	KIND_MASKED,
	KIND_CYCLE,
	KIND_RANDOM,
	KIND_SENDERS,
	KIND_PENDING_SENDERS,
	KIND_STREAM,
	KINDS,
};

struct contender {
	const char *name, *title;
	/* NULL: it cannot have this shape. */
	void *(*create)(const struct shape *shape);
	void (*destroy)(void *world);
	void (*run[KINDS])(struct work *w); /* NULL: there is no such thing */
};

#define CONTENDERS 9
extern const struct contender contender_upcall, contender_send, contender_ipi, contender_follow,
	contender_2l, contender_draft, contender_eventfd, contender_pipe, contender_floor;

struct bench_case {
	const char *name, *title;
	enum kind kind;
	uint32_t threads;
	struct shape shape;
};

extern const struct bench_case bench_cases[];
extern const size_t nr_bench_cases;

/* A whole number of these is raised by a round. */
uint64_t events_unit(const struct bench_case *c);

/* ---- threads (threads.c): the caller is thread 0; thread 1 sleeps between rounds ---- */

/* Returns the number of CPUs that were found; two threads are pinned when there are two. */
uint32_t threads_start(void);
void threads_stop(void);
/* work[0] here, work[1] there, at the same time. */
void threads_run(void (*run)(struct work *w), struct work work[2]);
/* Both threads of a round come here before either goes on. */
void threads_meet(void);
/* One turn of a loop that waits for the other thread; with one CPU it lets that one run. */
void threads_relax(void);

/* ---- time ---- */

static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	extern uint64_t now_ns(void);
	return now_ns();
#endif
}

uint64_t now_ns(void);

/* Does not return on failure; zero-filled, cache lines aligned. */
void *must_alloc(size_t size);
void must_free(void *p, size_t size);
/* Ends the program, saying what failed. */
void must(bool ok, const char *what);

#endif
