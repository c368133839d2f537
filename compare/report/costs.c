/* SPDX-License-Identifier: MIT */
/*
 * What a policy cost: sums over its windows under load, divided, with the same bootstrap over
 * whole windows; and how its events were spread over the vCPUs. Called by numbers.c.
 */
#include "compare/report/numbers.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

const char *const uc_cost_key[UC_COSTS] = {
	"vcpu_cpu_per_s", "vmm_cpu_per_s", "competitor_cpu_per_s", "work_per_vcpu_cpu_s",
	"upcalls_per_s",  "events_per_s",  "handed_over_per_s",	   "watch_looks_per_s",
};

struct parts {
	double top[UC_COSTS], bottom[UC_COSTS];
};

static double sum_of(const struct uc_report *report, const int64_t *per_vcpu)
{
	double sum = 0;

	for (int64_t v = 0; v < report->records->about.vcpus; v++)
		sum += (double)per_vcpu[v];
	return sum;
}

static struct parts parts_of(const struct uc_report *report, const struct uc_window *w)
{
	double length_us = (double)(w->end_us - w->start_us);
	struct parts parts = {
		.top =
			{
				[UC_COST_VCPU_CPU] = (double)w->vcpu_cpu_us,
				[UC_COST_VMM_CPU] = (double)w->vmm_cpu_us,
				[UC_COST_COMPETITOR_CPU] = (double)w->competitor_cpu_us,
				[UC_COST_WORK] = (double)w->work * 1e6,
				[UC_COST_UPCALLS] = sum_of(report, w->upcalls) * 1e6,
				[UC_COST_EVENTS] = sum_of(report, w->events) * 1e6,
				[UC_COST_HANDED_OVER] = (double)w->handed_over * 1e6,
				[UC_COST_LOOKS] = (double)w->watch_looks * 1e6,
			},
	};

	for (unsigned int c = 0; c < UC_COSTS; c++)
		parts.bottom[c] = c == UC_COST_WORK ? (double)w->vcpu_cpu_us : length_us;
	return parts;
}

/* NULL: no memory. */
static struct parts *policy_parts(const struct uc_report *report, unsigned int p)
{
	const struct uc_records *r = report->records;
	struct parts *parts = calloc(report->policy[p].windows[UC_PHASE_LOAD] + 1u, sizeof(*parts));

	for (size_t i = 0; parts && i < r->windows; i++)
		if (r->window[i].policy == p && r->window[i].phase == UC_PHASE_LOAD)
			parts[report->window_at[i]] = parts_of(report, &r->window[i]);
	return parts;
}

static void divide(const struct parts *parts, uint32_t n, const uint32_t *weight,
		   double cost[UC_COSTS])
{
	for (unsigned int c = 0; c < UC_COSTS; c++) {
		double top = 0, bottom = 0;

		for (uint32_t i = 0; i < n; i++) {
			double times = weight ? weight[i] : 1;

			top += parts[i].top[c] * times;
			bottom += parts[i].bottom[c] * times;
		}
		cost[c] = bottom > 0 ? top / bottom : NAN;
	}
}

static double change(double from, double to)
{
	return from > 0 ? to / from - 1 : NAN;
}

/* `star`: [cost][resample]. */
static int resample_costs(const struct uc_report *report, unsigned int p, const struct parts *parts,
			  double *star)
{
	struct uc_random random = uc_random_new((uint64_t)report->records->about.seed,
						(uint64_t)UC_PROBES_MAX * 1000 + p);
	uint32_t n = report->policy[p].windows[UC_PHASE_LOAD];
	uint32_t *weight = calloc(n + 1u, sizeof(*weight));
	double cost[UC_COSTS];

	if (!weight)
		return -ENOMEM;
	for (unsigned int b = 0; b < report->resamples; b++) {
		uc_resample(&random, &report->load_end[p], 1, weight);
		divide(parts, n, weight, cost);
		for (unsigned int c = 0; c < UC_COSTS; c++)
			star[c * report->resamples + b] = cost[c];
	}
	free(weight);
	return 0;
}

static void points(struct uc_report *report, unsigned int p, const struct parts *parts)
{
	struct uc_policy_numbers *own = &report->policy[p], *base = &report->policy[UC_BASELINE];
	double cost[UC_COSTS];

	divide(parts, own->windows[UC_PHASE_LOAD], NULL, cost);
	for (unsigned int c = 0; c < UC_COSTS; c++) {
		own->cost[c] = (struct uc_estimate){cost[c], NAN, NAN};
		own->change[c] = (struct uc_estimate){
			change(base->cost[c].value, own->cost[c].value), NAN, NAN};
	}
}

/* `base` is kept; `star` is used up. */
static void intervals(struct uc_report *report, unsigned int p, const double *base, double *star)
{
	struct uc_policy_numbers *own = &report->policy[p];
	bool base_known = report->policy[UC_BASELINE].windows[UC_PHASE_LOAD] >=
			  UC_WINDOWS_FOR_INTERVAL;
	unsigned int n = report->resamples;

	if (own->windows[UC_PHASE_LOAD] < UC_WINDOWS_FOR_INTERVAL)
		return;
	for (unsigned int c = 0; c < UC_COSTS; c++) {
		double *values = star + (size_t)c * n;
		struct uc_estimate unused;

		/* The changes first: they pair resample b with resample b. */
		for (unsigned int b = 0; b < n; b++)
			star[(size_t)UC_COSTS * n + b] = change(base[(size_t)c * n + b], values[b]);
		uc_interval(star + (size_t)UC_COSTS * n, n,
			    base_known && p != UC_BASELINE ? &own->change[c] : &unused);
		uc_interval(values, n, &own->cost[c]);
	}
}

static int share_events(struct uc_report *report, unsigned int p)
{
	const struct uc_records *r = report->records;
	struct uc_policy_numbers *own = &report->policy[p];
	double total = 0, least = INFINITY, most = 0;
	size_t vcpus = (size_t)r->about.vcpus;

	own->share = calloc(vcpus, sizeof(*own->share));
	if (!own->share)
		return -ENOMEM;
	for (size_t i = 0; i < r->windows; i++)
		for (size_t v = 0;
		     r->window[i].policy == p && r->window[i].phase == UC_PHASE_LOAD && v < vcpus;
		     v++)
			own->share[v] += (double)r->window[i].events[v];
	for (size_t v = 0; v < vcpus; v++) {
		total += own->share[v];
		least = fmin(least, own->share[v]);
		most = fmax(most, own->share[v]);
	}
	for (size_t v = 0; v < vcpus; v++)
		own->share[v] = total > 0 ? own->share[v] / total : NAN;
	own->spread = total > 0 ? most / least : NAN;
	return 0;
}

/* `star` has room for one row more than there are costs. */
static int compute_policy(struct uc_report *report, unsigned int p, double *base, double *star)
{
	struct parts *parts = policy_parts(report, p);
	int err = parts ? 0 : -ENOMEM;

	if (!err) {
		points(report, p, parts);
		err = resample_costs(report, p, parts, star);
	}
	for (size_t i = 0; !err && p == UC_BASELINE && i < (size_t)UC_COSTS * report->resamples;
	     i++)
		base[i] = star[i];
	if (!err)
		intervals(report, p, base, star);
	free(parts);
	return err ? err : share_events(report, p);
}

int uc_costs_compute(struct uc_report *report)
{
	size_t row = report->resamples;
	double *base = calloc(UC_COSTS * row, sizeof(*base));
	double *star = calloc((UC_COSTS + 1) * row, sizeof(*star));
	int err = base && star ? 0 : -ENOMEM;

	for (unsigned int p = 0; p < report->records->about.policies && !err; p++)
		err = compute_policy(report, p, base, star);
	free(base);
	free(star);
	return err;
}
