/* SPDX-License-Identifier: MIT */
/* The rounds of run.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

#define ROUND_NS	3e5 /* short, beside a time slice of others: few rounds are hit */
#define CALIBRATE_NS	1e5
#define CALIBRATE_TRIES 5
#define WARM_UP_SHARE	8 /* of a round, untimed, after others have had the caches */

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "raise: %s: %s\n", what, errno ? strerror(errno) : "failed");
	exit(1);
}

void *must_alloc(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	must(p != MAP_FAILED, "mmap");
	return p;
}

void must_free(void *p, size_t size)
{
	munmap(p, size);
}

struct cell *bench_cell(const struct bench *b, size_t c, size_t contender)
{
	return &b->cells[c * CONTENDERS + contender];
}

static bool is_wanted(const struct cell *cell, const regex_t *only)
{
	char key[128];

	snprintf(key, sizeof(key), "%s/%s", cell->c->name, cell->by->name);
	return !only || !regexec(only, key, 0, NULL, 0);
}

void bench_open(struct bench *b, const regex_t *only)
{
	b->nr_cells = nr_bench_cases * CONTENDERS;
	b->cells = must_alloc(b->nr_cells * sizeof(*b->cells));
	for (size_t i = 0; i < b->nr_cells; i++) {
		struct cell *cell = &b->cells[i];

		cell->c = &bench_cases[i / CONTENDERS];
		cell->by = b->contenders[i % CONTENDERS];
		if (cell->by->run[cell->c->kind] && is_wanted(cell, only))
			cell->world = cell->by->create(&cell->c->shape);
	}
	b->cpus = threads_start();
}

void bench_close(struct bench *b)
{
	threads_stop();
	for (size_t i = 0; i < b->nr_cells; i++) {
		if (b->cells[i].world)
			b->cells[i].by->destroy(b->cells[i].world);
		free(b->cells[i].ns);
	}
	must_free(b->cells, b->nr_cells * sizeof(*b->cells));
}

/* Returns nanoseconds for each timed event. */
static double run_round(const struct bench *b, struct cell *cell, uint64_t events)
{
	struct work w[2] = {{.world = cell->world, .shape = &cell->c->shape, .events = events}};
	void (*run)(struct work *) = cell->by->run[cell->c->kind];

	w[1] = w[0];
	w[1].thread = 1;
	if (cell->c->threads == 2) {
		threads_run(run, w);
	} else {
		run(&w[0]);
		w[1] = (struct work){0};
	}
	cell->raised += events;
	cell->expected += w[0].expected + w[1].expected;
	cell->handled += w[0].handled + w[1].handled;
	return (double)(w[0].ticks + w[1].ticks) / b->ticks_per_ns /
	       (double)(w[0].timed + w[1].timed);
}

static uint64_t in_units(const struct cell *cell, double events)
{
	uint64_t unit = events_unit(cell->c), n = (uint64_t)events / unit * unit;

	return n ? n : unit;
}

/* The shortest of some rounds, in ns: others may have had the CPU in the middle of one. */
static double shortest_round(const struct bench *b, struct cell *cell)
{
	double shortest = 1e18, ns;

	for (int i = 0; i < CALIBRATE_TRIES; i++) {
		uint64_t start = now_ns();

		run_round(b, cell, cell->events);
		ns = (double)(now_ns() - start);
		shortest = ns < shortest ? ns : shortest;
	}
	return shortest;
}

/* So many events that a round takes about ROUND_NS, as often as it takes to know. */
static void calibrate(const struct bench *b, struct cell *cell)
{
	double ns;

	cell->events = in_units(cell, 64);
	while ((ns = shortest_round(b, cell)) < CALIBRATE_NS)
		cell->events *= 2;
	cell->events = in_units(cell, ROUND_NS / ns * (double)cell->events);
}

static void warm_up(const struct bench *b, struct cell *cell)
{
	uint64_t events = cell->events / WARM_UP_SHARE;

	if (events < cell->c->shape.ports)
		events = cell->c->shape.ports;
	run_round(b, cell, in_units(cell, (double)events));
}

static void add_round(struct cell *cell, double ns)
{
	if ((cell->rounds & (cell->rounds + 1)) == 0) /* grows at 0, 1, 3, 7, ... */
		cell->ns = realloc(cell->ns, (2 * cell->rounds + 1) * sizeof(*cell->ns));
	must(cell->ns != NULL, "realloc");
	cell->ns[cell->rounds++] = ns;
}

static uint64_t next_random(struct bench *b)
{
	uint64_t z = b->random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void shuffle(struct bench *b, size_t *order, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t other = next_random(b) % i, was = order[i - 1];

		order[i - 1] = order[other];
		order[other] = was;
	}
}

/* The contenders of a case one after the other: what is compared is close in time. */
static void one_round_of_all(struct bench *b)
{
	size_t cases[64], order[CONTENDERS];

	for (size_t i = 0; i < nr_bench_cases; i++)
		cases[i] = i;
	for (size_t i = 0; i < CONTENDERS; i++)
		order[i] = i;
	shuffle(b, cases, nr_bench_cases);
	for (size_t i = 0; i < nr_bench_cases; i++) {
		shuffle(b, order, CONTENDERS);
		for (size_t j = 0; j < CONTENDERS; j++) {
			struct cell *cell = bench_cell(b, cases[i], order[j]);

			if (!cell->world)
				continue;
			warm_up(b, cell);
			add_round(cell, run_round(b, cell, cell->events));
		}
	}
}

static double measure_ticks(void)
{
	uint64_t ns = now_ns(), t = ticks();

	usleep(50000);
	return (double)(ticks() - t) / (double)(now_ns() - ns);
}

static double loadavg(void)
{
	double load = 0;

	must(getloadavg(&load, 1) == 1, "getloadavg");
	return load;
}

/* Seconds of all CPUs that were not idle, of all that runs here. */
static double busy_s(void)
{
	double user = 0, nice = 0, system = 0, idle, iowait, irq = 0, softirq = 0, steal = 0;
	FILE *f = fopen("/proc/stat", "re");

	if (!f)
		return 0;
	if (fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &user, &nice, &system, &idle, &iowait,
		   &irq, &softirq, &steal) != 8)
		user = 0;
	fclose(f);
	return (user + nice + system + irq + softirq + steal) / (double)sysconf(_SC_CLK_TCK);
}

static double own_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void evaluate(struct cell *cell)
{
	size_t n = cell->rounds;

	if (!n)
		return;
	qsort(cell->ns, n, sizeof(*cell->ns), compare);
	cell->least = cell->ns[0];
	cell->median = n % 2 ? cell->ns[n / 2] : (cell->ns[n / 2 - 1] + cell->ns[n / 2]) / 2;
	cell->p99 = cell->ns[(n - 1) * 99 / 100];
}

static void progress(double done)
{
	if (isatty(2))
		fprintf(stderr, done < 1 ? "\r%3.0f %%" : "\r     \r", done * 100);
}

void bench_measure(struct bench *b)
{
	double busy, own;
	uint64_t start;

	b->ticks_per_ns = measure_ticks();
	b->load[0] = loadavg();
	for (size_t i = 0; i < b->nr_cells; i++)
		if (b->cells[i].world)
			calibrate(b, &b->cells[i]);
	start = now_ns();
	busy = busy_s();
	own = own_s();
	do {
		one_round_of_all(b);
		b->elapsed = (double)(now_ns() - start) / 1e9;
		progress(b->elapsed / b->seconds);
	} while (b->elapsed < b->seconds);
	b->others = (busy_s() - busy - (own_s() - own)) / b->elapsed;
	b->load[1] = loadavg();
	for (size_t i = 0; i < b->nr_cells; i++)
		evaluate(&b->cells[i]);
}

void bench_count(struct bench *b, uint64_t events)
{
	b->ticks_per_ns = 1;
	for (size_t i = 0; i < b->nr_cells; i++)
		if (b->cells[i].world)
			run_round(b, &b->cells[i], in_units(&b->cells[i], (double)events));
}

void bench_quick(struct bench *b)
{
	b->ticks_per_ns = 1;
	for (int turn = 0; turn < 2; turn++)
		for (size_t i = 0; i < b->nr_cells; i++)
			if (b->cells[i].world)
				run_round(b, &b->cells[i], in_units(&b->cells[i], 500));
}

bool bench_all_delivered(const struct bench *b)
{
	bool all = true;

	for (size_t i = 0; i < b->nr_cells; i++) {
		const struct cell *cell = &b->cells[i];

		if (cell->handled == cell->expected)
			continue;
		fprintf(stderr, "raise: %s/%s: %llu events should have been handled, %llu were\n",
			cell->c->name, cell->by->name, (unsigned long long)cell->expected,
			(unsigned long long)cell->handled);
		all = false;
	}
	return all;
}
