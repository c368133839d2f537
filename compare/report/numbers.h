/* SPDX-License-Identifier: MIT */
/*
 * Every number that any of the outputs shows, computed once, so that the table, the page and the
 * JSON cannot differ. Private; made by numbers.c.
 */
#ifndef UPCALL_COMPARE_REPORT_NUMBERS_H
#define UPCALL_COMPARE_REPORT_NUMBERS_H

#include "compare/report/records.h"
#include "compare/report/stats.h"

/* One probe, in one kind of window. */
struct uc_cell {
	struct uc_pool pool;
	double max_us;
	struct uc_estimate q[UC_QUANTILES];
	/* Policies only: over the idle floor, and the baseline's excess divided by this one. */
	struct uc_estimate excess[UC_QUANTILES], ratio[UC_QUANTILES];
};

/* Sums over a policy's windows under load, divided. Units are in docs/compare.md. */
enum uc_cost {
	UC_COST_VCPU_CPU,
	UC_COST_VMM_CPU,
	UC_COST_COMPETITOR_CPU,
	UC_COST_WORK,
	UC_COST_UPCALLS,
	UC_COST_EVENTS,
	UC_COST_HANDED_OVER,
	UC_COST_LOOKS,
	UC_COSTS
};

struct uc_policy_numbers {
	uint32_t windows[2]; /* by enum uc_phase */
	struct uc_estimate cost[UC_COSTS];
	struct uc_estimate change[UC_COSTS]; /* from the baseline, in parts of it: 0.01 is +1 % */
	double *share;			     /* of the events, per vCPU; NAN without events */
	double spread; /* the most of a vCPU by the least; INFINITY: one had none; NAN: all */
};

struct uc_report {
	const struct uc_records *records;
	const char *command;
	unsigned int resamples;
	size_t orphans; /* samples whose window never ended: in no number */
	uint64_t lost;
	struct uc_cell idle[UC_PROBES_MAX];
	struct uc_cell load[UC_PROBES_MAX][UC_POLICIES_MAX];
	struct uc_policy_numbers policy[UC_POLICIES_MAX];
	/* Of windows: index within their phase and policy; for idle ones, within all idle ones. */
	uint32_t *window_at;
	uint32_t idle_end[UC_POLICIES_MAX], load_end[UC_POLICIES_MAX];
};

#define UC_BASELINE 0 /* the policy that was listed first */

/* As above, in order: "vcpu_cpu_per_s" and so on. */
extern const char *const uc_cost_key[UC_COSTS];

/* costs.c. -ENOMEM. */
int uc_costs_compute(struct uc_report *report);

#endif
