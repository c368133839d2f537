/* SPDX-License-Identifier: MIT */
/*
 * The numbers for programs: conditions, results, windows, notices. JSON has no infinity: a latency
 * that is lost and a ratio beyond measure are the texts "lost" and "beyond measure", and what is
 * not known is null. docs/compare.md has the members.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "compare/report/sections.h"

static json_t *number(double value, const char *infinite)
{
	if (isnan(value))
		return json_null();
	return isinf(value) ? json_string(infinite) : json_real(value);
}

static json_t *estimate(const struct uc_estimate *e, const char *infinite)
{
	return json_pack("{s:o, s:o, s:o}", "value", number(e->value, infinite), "low",
			 number(e->low, infinite), "high", number(e->high, infinite));
}

static json_t *about_json(const struct uc_about *a)
{
	json_t *policies = json_array(), *probes = json_array();

	for (unsigned int p = 0; p < a->policies; p++)
		json_array_append_new(policies, json_string(a->policy[p]));
	for (unsigned int p = 0; p < a->probes; p++)
		json_array_append_new(probes, json_string(a->probe[p]));
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:s, "
			 "s:s, s:s}",
			 "kernel", a->kernel, "vcpus", (json_int_t)a->vcpus, "host_cpus",
			 (json_int_t)a->host_cpus, "competitors", (json_int_t)a->competitors,
			 "competitor_vcpus", (json_int_t)a->competitor_vcpus, "load", a->load,
			 "quota_percent", (json_int_t)a->quota_percent, "rate_hz",
			 (json_int_t)a->rate_hz, "window_ms", (json_int_t)a->window_ms, "seconds",
			 (json_int_t)a->seconds, "seed", (json_int_t)a->seed, "policies", policies,
			 "probes", probes, "where", a->where, "host", a->host, "version",
			 a->version);
}

static json_t *quantiles(const struct uc_estimate *e, const char *infinite)
{
	json_t *object = json_object();

	for (unsigned int k = 0; k < UC_QUANTILES; k++)
		json_object_set_new(object, uc_quantile_name[k], estimate(&e[k], infinite));
	return object;
}

static json_t *cell_json(const struct uc_cell *c)
{
	return json_pack("{s:I, s:I, s:o, s:o}", "n", (json_int_t)c->pool.n, "lost",
			 (json_int_t)c->pool.lost, "max_us", number(c->max_us, "lost"),
			 "latency_us", quantiles(c->q, "lost"));
}

static json_t *probe_json(const struct uc_report *report, unsigned int probe)
{
	const struct uc_about *a = &report->records->about;
	json_t *policies = json_object();

	for (unsigned int p = 0; p < a->policies; p++) {
		const struct uc_cell *c = &report->load[probe][p];
		json_t *object = cell_json(c);

		json_object_set_new(object, "excess_us", quantiles(c->excess, "lost"));
		json_object_set_new(object, "ratio", quantiles(c->ratio, "beyond measure"));
		json_object_set_new(policies, a->policy[p], object);
	}
	return json_pack("{s:o, s:o}", "idle", cell_json(&report->idle[probe]), "policies",
			 policies);
}

static json_t *costs_json(const struct uc_report *report, unsigned int p)
{
	const struct uc_policy_numbers *n = &report->policy[p];
	json_t *object = json_object(), *share = json_array();

	json_object_set_new(object, "idle_windows", json_integer(n->windows[UC_PHASE_IDLE]));
	json_object_set_new(object, "load_windows", json_integer(n->windows[UC_PHASE_LOAD]));
	for (unsigned int c = 0; c < UC_COSTS; c++) {
		json_t *cost = estimate(&n->cost[c], "");

		json_object_set_new(cost, "change", estimate(&n->change[c], ""));
		json_object_set_new(object, uc_cost_key[c], cost);
	}
	for (int64_t v = 0; v < report->records->about.vcpus; v++)
		json_array_append_new(share, number(n->share[v], ""));
	json_object_set_new(object, "event_share", share);
	json_object_set_new(object, "event_spread", number(n->spread, "a vCPU had none"));
	return object;
}

static json_t *int_list(const int64_t *values, int64_t n)
{
	json_t *list = json_array();

	for (int64_t i = 0; i < n; i++)
		json_array_append_new(list, json_integer(values[i]));
	return list;
}

static json_t *window_json(const struct uc_about *a, const struct uc_window *w)
{
	return json_pack("{s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "id",
			 (json_int_t)w->id, "phase", w->phase == UC_PHASE_IDLE ? "idle" : "load",
			 "policy", a->policy[w->policy], "start_us", (json_int_t)w->start_us,
			 "end_us", (json_int_t)w->end_us, "vcpu_cpu_us", (json_int_t)w->vcpu_cpu_us,
			 "vmm_cpu_us", (json_int_t)w->vmm_cpu_us, "competitor_cpu_us",
			 (json_int_t)w->competitor_cpu_us, "work", (json_int_t)w->work,
			 "handed_over", (json_int_t)w->handed_over, "watch_looks",
			 (json_int_t)w->watch_looks, "upcalls", int_list(w->upcalls, a->vcpus),
			 "events", int_list(w->events, a->vcpus));
}

static json_t *notices_json(const struct uc_report *report)
{
	struct uc_sections *s = uc_sections_new(report);
	json_t *list = json_array();

	for (unsigned int i = 0; s && i < s->notices.count; i++)
		json_array_append_new(list, json_string(s->notices.text[i]));
	free(s);
	return list;
}

static json_t *report_json(const struct uc_report *report)
{
	const struct uc_records *r = report->records;
	json_t *probes = json_object(), *costs = json_object(), *windows = json_array();

	for (unsigned int probe = 0; probe < r->about.probes; probe++)
		json_object_set_new(probes, r->about.probe[probe], probe_json(report, probe));
	for (unsigned int p = 0; p < r->about.policies; p++)
		json_object_set_new(costs, r->about.policy[p], costs_json(report, p));
	for (size_t i = 0; i < r->windows; i++)
		json_array_append_new(windows, window_json(&r->about, &r->window[i]));
	return json_pack("{s:o, s:s?, s:b, s:I, s:o, s:s, s:o, s:o, s:o}", "about",
			 about_json(&r->about), "command", report->command, "complete", r->has_end,
			 "resamples", (json_int_t)report->resamples, "notices",
			 notices_json(report), "baseline", r->about.policy[UC_BASELINE], "probes",
			 probes, "costs", costs, "windows", windows);
}

int uc_report_json(const struct uc_report *report, FILE *out, struct uc_diag *diag)
{
	json_t *root = report_json(report);
	int err;

	if (!root)
		return uc_fail(diag, UC_EXIT_INTERNAL, ENOMEM, "no memory for the JSON");
	err = json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(10));
	json_decref(root);
	if (err || fputc('\n', out) == EOF || fflush(out) || ferror(out))
		return uc_fail(diag, UC_EXIT_INTERNAL, EIO, "the JSON could not be written");
	return 0;
}
