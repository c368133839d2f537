/* SPDX-License-Identifier: MIT */
/*
 * From records to numbers: sorts the samples into cells (probe x kind of window), and takes
 * quantiles, excess over the idle floor and ratios, each with its bootstrap. One resample of the
 * idle windows serves all policies of a probe, so that a ratio's two excesses share their floor.
 */
#include "compare/report/numbers.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RESAMPLES_DEFAULT 2000

/* Resampled values of one cell: [quantile][resample]. */
struct stars {
	double *q[UC_QUANTILES];
};

static void index_windows(struct uc_report *report)
{
	const struct uc_records *r = report->records;
	uint32_t idle = 0;

	for (unsigned int p = 0; p < r->about.policies; p++) {
		uint32_t *count = report->policy[p].windows;

		for (size_t i = 0; i < r->windows; i++) {
			const struct uc_window *w = &r->window[i];

			if (w->policy != p)
				continue;
			report->window_at[i] = w->phase == UC_PHASE_IDLE ? idle++
									 : count[UC_PHASE_LOAD];
			count[w->phase]++;
		}
		report->idle_end[p] = idle;
		report->load_end[p] = count[UC_PHASE_LOAD];
	}
}

static struct uc_cell *cell_of(struct uc_report *report, const struct uc_sample *s,
			       const struct uc_window *w)
{
	return w->phase == UC_PHASE_IDLE ? &report->idle[s->probe]
					 : &report->load[s->probe][w->policy];
}

static void count_samples(struct uc_report *report)
{
	const struct uc_records *r = report->records;

	for (size_t i = 0; i < r->samples; i++) {
		const struct uc_window *w = uc_window_by_id(r, r->sample[i].window_id);

		if (w)
			cell_of(report, &r->sample[i], w)->pool.n++;
		else
			report->orphans++;
	}
}

static int allot(struct uc_cell *cell, const uint32_t *stratum_end, uint32_t strata)
{
	struct uc_pool *pool = &cell->pool;

	pool->stratum_end = stratum_end;
	pool->strata = strata;
	pool->windows = stratum_end[strata - 1];
	pool->sample = calloc(pool->n + 1, sizeof(*pool->sample));
	pool->n = 0; /* counted again as they are put in */
	return pool->sample ? 0 : -ENOMEM;
}

static int allot_all(struct uc_report *report)
{
	const struct uc_about *about = &report->records->about;
	int err = 0;

	for (unsigned int probe = 0; probe < about->probes && !err; probe++) {
		err = allot(&report->idle[probe], report->idle_end, about->policies);
		for (unsigned int p = 0; p < about->policies && !err; p++)
			err = allot(&report->load[probe][p], &report->load_end[p], 1);
	}
	return err;
}

static void put_samples(struct uc_report *report)
{
	const struct uc_records *r = report->records;

	for (size_t i = 0; i < r->samples; i++) {
		const struct uc_sample *s = &r->sample[i];
		const struct uc_window *w = uc_window_by_id(r, s->window_id);
		bool lost = s->latency_us == UC_LATENCY_US_LOST;
		struct uc_pool *pool;

		if (!w)
			continue;
		pool = &cell_of(report, s, w)->pool;
		pool->sample[pool->n++] = (struct uc_latency){
			lost ? INFINITY : (double)s->latency_us,
			report->window_at[w - r->window],
		};
		pool->lost += lost;
		report->lost += lost;
	}
}

static void measure(struct uc_cell *cell)
{
	double q[UC_QUANTILES];

	uc_pool_sort(&cell->pool);
	uc_pool_quantiles(&cell->pool, NULL, q);
	for (unsigned int k = 0; k < UC_QUANTILES; k++)
		cell->q[k] = (struct uc_estimate){q[k], NAN, NAN};
	cell->max_us = cell->pool.n ? cell->pool.sample[cell->pool.n - 1].us : NAN;
}

/* A floor that is itself lost tells nothing of what is above it. */
static double excess(double us, double idle_us)
{
	return isinf(idle_us) ? NAN : us - idle_us;
}

/*
 * How many times smaller than the baseline's. INFINITY: the baseline has an excess and this has
 * none. Where neither has any, or both are lost, there is nothing to divide.
 */
static double ratio(double baseline, double other)
{
	if (isnan(baseline) || isnan(other) || (isinf(baseline) && isinf(other)))
		return NAN;
	if (other > 0)
		return baseline / other;
	return baseline > 0 ? INFINITY : NAN;
}

static int stars_new(struct stars *stars, unsigned int resamples)
{
	for (unsigned int k = 0; k < UC_QUANTILES; k++) {
		stars->q[k] = calloc(resamples, sizeof(double));
		if (!stars->q[k])
			return -ENOMEM;
	}
	return 0;
}

static void stars_free(struct stars *stars)
{
	for (unsigned int k = 0; k < UC_QUANTILES; k++)
		free(stars->q[k]);
}

static int resample_cell(const struct uc_report *report, const struct uc_pool *pool,
			 uint64_t stream, struct stars *stars)
{
	struct uc_random random = uc_random_new((uint64_t)report->records->about.seed, stream);
	uint32_t *weight = calloc(pool->windows + 1u, sizeof(*weight));
	double q[UC_QUANTILES];

	if (!weight)
		return -ENOMEM;
	for (unsigned int b = 0; b < report->resamples; b++) {
		uc_resample(&random, pool->stratum_end, pool->strata, weight);
		uc_pool_quantiles(pool, weight, q);
		for (unsigned int k = 0; k < UC_QUANTILES; k++)
			stars->q[k][b] = q[k];
	}
	free(weight);
	return 0;
}

static bool has_interval(const struct uc_cell *cell)
{
	return cell->pool.windows >= UC_WINDOWS_FOR_INTERVAL;
}

/* Of copies: the resamples stay in their order, which is what pairs them. */
static void intervals(const struct uc_report *report, unsigned int probe, unsigned int p,
		      const struct stars *stars, double *scratch)
{
	const struct stars *idle = &stars[0], *base = &stars[1 + UC_BASELINE], *own = &stars[1 + p];
	struct uc_cell *cell = (struct uc_cell *)&report->load[probe][p];
	bool floor_known = has_interval(&report->idle[probe]);

	for (unsigned int k = 0; k < UC_QUANTILES; k++) {
		if (!has_interval(cell))
			continue;
		memcpy(scratch, own->q[k], report->resamples * sizeof(*scratch));
		uc_interval(scratch, report->resamples, &cell->q[k]);
		if (!floor_known)
			continue;
		for (unsigned int b = 0; b < report->resamples; b++)
			scratch[b] = excess(own->q[k][b], idle->q[k][b]);
		uc_interval(scratch, report->resamples, &cell->excess[k]);
		if (!has_interval(&report->load[probe][UC_BASELINE]))
			continue;
		for (unsigned int b = 0; b < report->resamples; b++)
			scratch[b] = ratio(excess(base->q[k][b], idle->q[k][b]),
					   excess(own->q[k][b], idle->q[k][b]));
		uc_interval(scratch, report->resamples, &cell->ratio[k]);
	}
}

static void idle_intervals(struct uc_report *report, unsigned int probe, const struct stars *idle,
			   double *scratch)
{
	for (unsigned int k = 0; k < UC_QUANTILES; k++) {
		if (!has_interval(&report->idle[probe]))
			continue;
		memcpy(scratch, idle->q[k], report->resamples * sizeof(*scratch));
		uc_interval(scratch, report->resamples, &report->idle[probe].q[k]);
	}
}

static void points(struct uc_report *report, unsigned int probe)
{
	const struct uc_cell *idle = &report->idle[probe];
	const struct uc_cell *base = &report->load[probe][UC_BASELINE];

	for (unsigned int p = 0; p < report->records->about.policies; p++) {
		struct uc_cell *cell = &report->load[probe][p];

		for (unsigned int k = 0; k < UC_QUANTILES; k++) {
			double over = excess(cell->q[k].value, idle->q[k].value);
			double base_over = excess(base->q[k].value, idle->q[k].value);

			cell->excess[k] = (struct uc_estimate){over, NAN, NAN};
			cell->ratio[k] = (struct uc_estimate){ratio(base_over, over), NAN, NAN};
		}
	}
}

static int bootstrap(struct uc_report *report, unsigned int probe, struct stars *stars,
		     double *scratch)
{
	unsigned int policies = report->records->about.policies;
	int err = resample_cell(report, &report->idle[probe].pool, probe * 1000, &stars[0]);

	for (unsigned int p = 0; p < policies && !err; p++)
		err = resample_cell(report, &report->load[probe][p].pool, probe * 1000 + 1 + p,
				    &stars[1 + p]);
	if (err)
		return err;
	idle_intervals(report, probe, &stars[0], scratch);
	for (unsigned int p = 0; p < policies; p++)
		intervals(report, probe, p, stars, scratch);
	return 0;
}

static int compute_probe(struct uc_report *report, unsigned int probe)
{
	unsigned int policies = report->records->about.policies;
	struct stars stars[1 + UC_POLICIES_MAX] = {0};
	double *scratch = calloc(report->resamples, sizeof(*scratch));
	int err = scratch ? 0 : -ENOMEM;

	measure(&report->idle[probe]);
	for (unsigned int p = 0; p < policies; p++)
		measure(&report->load[probe][p]);
	points(report, probe);
	for (unsigned int i = 0; i <= policies && !err; i++)
		err = stars_new(&stars[i], report->resamples);
	if (!err)
		err = bootstrap(report, probe, stars, scratch);
	for (unsigned int i = 0; i <= policies; i++)
		stars_free(&stars[i]);
	free(scratch);
	return err;
}

static int compute(struct uc_report *report)
{
	int err;

	report->window_at = calloc(report->records->windows + 1, sizeof(*report->window_at));
	if (!report->window_at)
		return -ENOMEM;
	index_windows(report);
	count_samples(report);
	err = allot_all(report);
	if (err)
		return err;
	put_samples(report);
	for (unsigned int probe = 0; probe < report->records->about.probes && !err; probe++)
		err = compute_probe(report, probe);
	return err ? err : uc_costs_compute(report);
}

struct uc_report *uc_report_new(const struct uc_records *records,
				const struct uc_report_options *options, struct uc_diag *diag)
{
	struct uc_report *report = calloc(1, sizeof(*report));

	if (report) {
		report->records = records;
		report->command = options ? options->command : NULL;
		report->resamples = options && options->resamples ? options->resamples
								  : RESAMPLES_DEFAULT;
		if (!compute(report))
			return report;
	}
	uc_fail(diag, UC_EXIT_INTERNAL, ENOMEM, "no memory for the report");
	uc_report_free(report);
	return NULL;
}

void uc_report_free(struct uc_report *report)
{
	if (!report)
		return;
	for (unsigned int probe = 0; probe < UC_PROBES_MAX; probe++) {
		free(report->idle[probe].pool.sample);
		for (unsigned int p = 0; p < UC_POLICIES_MAX; p++)
			free(report->load[probe][p].pool.sample);
	}
	for (unsigned int p = 0; p < UC_POLICIES_MAX; p++)
		free(report->policy[p].share);
	free(report->window_at);
	free(report);
}
