/* SPDX-License-Identifier: MIT */
/*
 * A pool is sorted once; a resample only changes how often each window counts, so a quantile of
 * it is one walk that adds up weights: 2000 resamples of 100000 samples take well under a second.
 */
#include "compare/report/stats.h"

#include <math.h>
#include <stdlib.h>

const uint32_t uc_quantile_part[UC_QUANTILES] = {50000, 95000, 99000, 99900};
const char *const uc_quantile_name[UC_QUANTILES] = {"p50", "p95", "p99", "p99.9"};

static int by_latency(const void *a, const void *b)
{
	const struct uc_latency *x = a, *y = b;

	if (x->us != y->us)
		return x->us < y->us ? -1 : 1;
	return (x->window > y->window) - (x->window < y->window);
}

void uc_pool_sort(struct uc_pool *pool)
{
	if (pool->n)
		qsort(pool->sample, pool->n, sizeof(*pool->sample), by_latency);
}

static uint64_t total(const struct uc_pool *pool, const uint32_t *weight)
{
	uint64_t sum = 0;

	if (!weight)
		return pool->n;
	for (size_t i = 0; i < pool->n; i++)
		sum += weight[pool->sample[i].window];
	return sum;
}

void uc_pool_quantiles(const struct uc_pool *pool, const uint32_t *weight, double q[UC_QUANTILES])
{
	uint64_t n = total(pool, weight);
	uint64_t seen = 0;
	size_t at = 0;

	for (unsigned int k = 0; k < UC_QUANTILES; k++) {
		uint64_t rank = (n * uc_quantile_part[k] + 99999) / 100000;

		while (seen < rank) {
			seen += weight ? weight[pool->sample[at].window] : 1;
			at++;
		}
		q[k] = n ? pool->sample[at - 1].us : NAN;
	}
}

/* splitmix64 (Steele, Lea, Flood 2014): one word of state, and any seed will do. */
static uint64_t next(struct uc_random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

struct uc_random uc_random_new(uint64_t seed, uint64_t stream)
{
	struct uc_random random = {seed};

	random.state = next(&random) ^ stream;
	random.state = next(&random);
	return random;
}

uint32_t uc_random_below(struct uc_random *random, uint32_t bound)
{
	return (uint32_t)(((next(random) >> 32) * bound) >> 32);
}

void uc_resample(struct uc_random *random, const uint32_t *stratum_end, uint32_t strata,
		 uint32_t *weight)
{
	uint32_t first = 0;

	for (uint32_t s = 0; s < strata; s++) {
		uint32_t size = stratum_end[s] - first;

		for (uint32_t i = 0; i < size; i++)
			weight[first + i] = 0;
		for (uint32_t i = 0; i < size; i++)
			weight[first + uc_random_below(random, size)]++;
		first = stratum_end[s];
	}
}

/* NANs last. */
static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	if (isnan(x) || isnan(y))
		return isnan(x) - isnan(y);
	return (x > y) - (x < y);
}

void uc_interval(double *values, size_t n, struct uc_estimate *estimate)
{
	size_t low = (n * 25 + 999) / 1000, high = (n * 975 + 999) / 1000;
	size_t known = 0;

	estimate->low = estimate->high = NAN;
	if (n)
		qsort(values, n, sizeof(*values), by_value);
	while (known < n && !isnan(values[known]))
		known++;
	if (low > n - known)
		estimate->low = values[low - (n - known) - 1];
	if (high && high <= known)
		estimate->high = values[high - 1];
}
