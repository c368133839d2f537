/* SPDX-License-Identifier: MIT */
/* The two threads of a run, each on a CPU of its own when there are two. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "bench.h"

/* Turns of a waiting loop, without a pause: it would be part of what is measured. */
#define TURNS_PER_YIELD 16384

static struct {
	pthread_t other;
	sem_t begin, end;
	void (*run)(struct work *w);
	struct work *work;
	uint32_t turns_per_yield;
	int cpu[2];
	uint64_t arrived __attribute__((aligned(128)));
} t __attribute__((aligned(128)));

static _Thread_local uint32_t turns;

void threads_relax(void)
{
	if (++turns % t.turns_per_yield == 0)
		sched_yield();
}

void threads_meet(void)
{
	uint64_t mine = __atomic_fetch_add(&t.arrived, 1, __ATOMIC_SEQ_CST), all = mine / 2 * 2 + 2;

	while (__atomic_load_n(&t.arrived, __ATOMIC_ACQUIRE) < all)
		threads_relax();
}

static void pin(uint32_t thread)
{
	cpu_set_t set;

	if (t.cpu[thread] < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(t.cpu[thread], &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *other_thread(void *unused)
{
	(void)unused;
	pin(1);
	for (;;) {
		sem_wait(&t.begin);
		if (!t.run)
			return NULL;
		t.run(&t.work[1]);
		sem_post(&t.end);
	}
}

/* The first and the last CPU that this process may use. */
static uint32_t find_cpus(void)
{
	uint32_t found = 0;
	cpu_set_t set;

	t.cpu[0] = t.cpu[1] = -1;
	must(!sched_getaffinity(0, sizeof(set), &set), "sched_getaffinity");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		t.cpu[found ? 1 : 0] = cpu;
		found++;
	}
	if (found < 2)
		t.cpu[0] = t.cpu[1] = -1;
	return found;
}

uint32_t threads_start(void)
{
	uint32_t cpus = find_cpus();

	t.turns_per_yield = cpus > 1 ? TURNS_PER_YIELD : 1;
	sem_init(&t.begin, 0, 0);
	sem_init(&t.end, 0, 0);
	must(!pthread_create(&t.other, NULL, other_thread, NULL), "pthread_create");
	pin(0);
	return cpus;
}

void threads_run(void (*run)(struct work *w), struct work work[2])
{
	t.run = run;
	t.work = work;
	sem_post(&t.begin);
	run(&work[0]);
	while (sem_wait(&t.end))
		;
}

void threads_stop(void)
{
	t.run = NULL;
	sem_post(&t.begin);
	pthread_join(t.other, NULL);
}
