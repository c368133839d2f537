/* SPDX-License-Identifier: MIT */
/* Cells, and the rounds that measure them. Used by main.c; report.c reads the results. */
#ifndef BENCH_RAISE_RUN_H
#define BENCH_RAISE_RUN_H

#include <regex.h>

#include "bench.h"

struct cell {
	const struct bench_case *c;
	const struct contender *by;
	void *world;
	uint64_t events;		    /* of a round */
	uint64_t raised, expected, handled; /* of all rounds */
	double *ns; /* per event, of each round; sorted when the run is over */
	size_t rounds;
	double median, p99, least;
};

struct bench {
	const struct contender *contenders[CONTENDERS];
	struct cell *cells; /* by case, then by contender; world == NULL: not there */
	size_t nr_cells;
	uint32_t cpus;
	uint64_t seed, random;
	double ticks_per_ns;
	double seconds, elapsed; /* asked for, and taken */
	double load[2];		 /* /proc/loadavg, before and after */
	double others;		 /* CPUs that others used meanwhile */
};

/* The cells of "CASE/CONTENDER" that match. */
void bench_open(struct bench *b, const regex_t *only);
/* Short rounds of every cell in turns, in random order, until `seconds` are over. */
void bench_measure(struct bench *b);
/* A few events of each, untimed. */
void bench_quick(struct bench *b);
/* Exactly so many events of each. */
void bench_count(struct bench *b, uint64_t events);
void bench_close(struct bench *b);
/* Did every contender deliver what was raised? Says on stderr which did not. */
bool bench_all_delivered(const struct bench *b);

struct cell *bench_cell(const struct bench *b, size_t c, size_t contender);

#endif
