/* SPDX-License-Identifier: MIT */
/*
 * Quantiles by nearest rank and their block bootstrap: samples of one window are correlated (one
 * preemption delays many), so what is drawn again is whole windows, never single samples.
 * Latencies are in us; a lost request is INFINITY; what cannot be known is NAN. Private.
 */
#ifndef UPCALL_COMPARE_REPORT_STATS_H
#define UPCALL_COMPARE_REPORT_STATS_H

#include <stddef.h>
#include <stdint.h>

enum uc_quantile { UC_Q_P50, UC_Q_P95, UC_Q_P99, UC_Q_P999, UC_QUANTILES };

/* Parts in 100000, so that a rank is exact in integers. */
extern const uint32_t uc_quantile_part[UC_QUANTILES];
extern const char *const uc_quantile_name[UC_QUANTILES];

/* With fewer windows of a kind than this, a resample of them says too little to be an interval. */
#define UC_WINDOWS_FOR_INTERVAL 5

struct uc_estimate {
	double value, low, high; /* low, high: 95 % interval; NAN where unknown */
};

struct uc_latency {
	double us;
	uint32_t window; /* index within the pool, below `windows` */
};

/* All samples of one probe in one kind of window. */
struct uc_pool {
	struct uc_latency *sample; /* uc_pool_sort() puts them in order of `us` */
	size_t n, lost;
	uint32_t windows;
	/* Windows [stratum_end[i-1], stratum_end[i]) are drawn from among themselves. */
	const uint32_t *stratum_end;
	uint32_t strata;
};

void uc_pool_sort(struct uc_pool *pool);
/* `weight[window]`: how often each window counts; NULL: once. NAN where no sample counts. */
void uc_pool_quantiles(const struct uc_pool *pool, const uint32_t *weight, double q[UC_QUANTILES]);

struct uc_random {
	uint64_t state;
};

/* Equal (seed, stream): equal numbers. */
struct uc_random uc_random_new(uint64_t seed, uint64_t stream);
uint32_t uc_random_below(struct uc_random *random, uint32_t bound);
/* As many windows as each stratum has, drawn with replacement: how often each came. */
void uc_resample(struct uc_random *random, const uint32_t *stratum_end, uint32_t strata,
		 uint32_t *weight);

/*
 * The middle 95 % of `n` resampled values, which it sorts. A NAN among them could be any value,
 * so it counts as the lowest for the lower bound and as the highest for the upper one; a bound
 * that falls on one is NAN.
 */
void uc_interval(double *values, size_t n, struct uc_estimate *estimate);

#endif
