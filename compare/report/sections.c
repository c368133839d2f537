/* SPDX-License-Identifier: MIT */
/* Fills the tables that table.c and html.c lay out; every number comes from numbers.h. */
#include "compare/report/sections.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "compare/report/words.h"

#define SHARES_SHOWN 8 /* more vCPUs than these would not fit on a line */

static char *cell(struct uc_grid *g, unsigned int column)
{
	return g->cell[g->rows - 1][column];
}

static void set(struct uc_grid *g, unsigned int column, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void set(struct uc_grid *g, unsigned int column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cell(g, column), UC_CELL_TEXT, fmt, ap);
	va_end(ap);
}

static struct uc_grid *new_grid(struct uc_sections *s, const char *const *head)
{
	struct uc_grid *g = &s->grid[s->grids++];

	g->rows = 1;
	g->probe = -1;
	for (; head[g->columns]; g->columns++)
		set(g, g->columns, "%s", head[g->columns]);
	return g;
}

static void latency_row(struct uc_grid *g, const char *name, const struct uc_cell *c)
{
	g->rows++;
	set(g, 0, "%s", name);
	set(g, 1, "%zu", c->pool.n);
	set(g, 2, "%zu", c->pool.lost);
	for (unsigned int k = 0; k < UC_QUANTILES; k++)
		uc_words_ms(cell(g, 3 + k), UC_CELL_TEXT, c->q[k].value);
	uc_words_ms(cell(g, 3 + UC_QUANTILES), UC_CELL_TEXT, c->max_us);
}

static void latency_grid(const struct uc_report *report, unsigned int probe, struct uc_sections *s)
{
	static const char *const head[] = {"latency, ms", "n",	   "lost", "p50", "p95",
					   "p99",	  "p99.9", "max",  NULL};
	const struct uc_about *about = &report->records->about;
	struct uc_grid *g = new_grid(s, head);

	uc_probe_title(about->probe[probe], g->title, sizeof(g->title));
	latency_row(g, "idle floor", &report->idle[probe]);
	for (unsigned int p = 0; p < about->policies; p++)
		latency_row(g, about->policy[p], &report->load[probe][p]);
}

static void excess_grid(const struct uc_report *report, unsigned int probe, struct uc_sections *s)
{
	const struct uc_about *about = &report->records->about;
	char over[64];
	const char *const head[] = {"excess over idle, ms", "p99 [95 %]", "p99.9 [95 %]", NULL};
	const char *const head_ratio[] = {"excess over idle, ms", "p99 [95 %]", over,
					  "p99.9 [95 %]",	  over,		NULL};
	bool many = about->policies > 1;
	unsigned int step = many ? 2 : 1;
	struct uc_grid *g;

	snprintf(over, sizeof(over), "%s/this", about->policy[UC_BASELINE]);
	g = new_grid(s, many ? head_ratio : head);
	g->probe = (int)probe;
	for (unsigned int p = 0; p < about->policies; p++) {
		const struct uc_cell *c = &report->load[probe][p];

		g->rows++;
		set(g, 0, "%s", about->policy[p]);
		for (unsigned int i = 0; i < 2; i++)
			uc_words_ms_estimate(cell(g, 1 + i * step), UC_CELL_TEXT,
					     &c->excess[UC_Q_P99 + i]);
		for (unsigned int i = 0; p != UC_BASELINE && i < 2; i++)
			uc_words_ratio(cell(g, 2 + i * step), UC_CELL_TEXT,
				       &c->ratio[UC_Q_P99 + i]);
	}
}

static void cpu_grid(const struct uc_report *report, struct uc_sections *s)
{
	static const char *const head[] = {"CPU time, s per s", "vCPUs", "change", "VMM", "change",
					   "competitors",	NULL};
	const struct uc_about *about = &report->records->about;
	struct uc_grid *g = new_grid(s, head);

	snprintf(g->title, sizeof(g->title), "cost under load (change: from %s [95 %%])",
		 about->policy[UC_BASELINE]);
	for (unsigned int p = 0; p < about->policies; p++) {
		const struct uc_policy_numbers *n = &report->policy[p];

		g->rows++;
		set(g, 0, "%s", about->policy[p]);
		uc_words_number(cell(g, 1), UC_CELL_TEXT, n->cost[UC_COST_VCPU_CPU].value);
		uc_words_number(cell(g, 3), UC_CELL_TEXT, n->cost[UC_COST_VMM_CPU].value);
		uc_words_number(cell(g, 5), UC_CELL_TEXT, n->cost[UC_COST_COMPETITOR_CPU].value);
		if (p == UC_BASELINE)
			continue;
		uc_words_change(cell(g, 2), UC_CELL_TEXT, &n->change[UC_COST_VCPU_CPU]);
		uc_words_change(cell(g, 4), UC_CELL_TEXT, &n->change[UC_COST_VMM_CPU]);
	}
}

static void work_grid(const struct uc_report *report, struct uc_sections *s)
{
	static const char *const head[] = {"per second", "work per vCPU s", "change", "upcalls",
					   "events",	 "handed over",	    "looks",  NULL};
	const struct uc_about *about = &report->records->about;
	struct uc_grid *g = new_grid(s, head);

	for (unsigned int p = 0; p < about->policies; p++) {
		const struct uc_policy_numbers *n = &report->policy[p];

		g->rows++;
		set(g, 0, "%s", about->policy[p]);
		uc_words_number(cell(g, 1), UC_CELL_TEXT, n->cost[UC_COST_WORK].value);
		if (p != UC_BASELINE)
			uc_words_change(cell(g, 2), UC_CELL_TEXT, &n->change[UC_COST_WORK]);
		for (unsigned int c = UC_COST_UPCALLS; c <= UC_COST_LOOKS; c++)
			uc_words_number(cell(g, 3 + c - UC_COST_UPCALLS), UC_CELL_TEXT,
					n->cost[c].value);
	}
}

static void shares(const struct uc_policy_numbers *n, unsigned int vcpus, char *text, size_t size)
{
	size_t at = 0;

	text[0] = '\0';
	for (unsigned int v = 0; v < vcpus && v < SHARES_SHOWN && at < size; v++)
		at += (size_t)snprintf(text + at, size - at, "%s%.1f", v ? "  " : "",
				       n->share[v] * 100);
	if (vcpus > SHARES_SHOWN && at < size)
		snprintf(text + at, size - at, "  ...");
}

static void spread_grid(const struct uc_report *report, struct uc_sections *s)
{
	static const char *const head[] = {"events per vCPU", "shares, %", "most/least", NULL};
	const struct uc_about *about = &report->records->about;
	struct uc_grid *g = new_grid(s, head);

	for (unsigned int p = 0; p < about->policies; p++) {
		const struct uc_policy_numbers *n = &report->policy[p];

		g->rows++;
		set(g, 0, "%s", about->policy[p]);
		if (isnan(n->spread)) {
			set(g, 1, "no events");
			set(g, 2, "-");
			continue;
		}
		shares(n, (unsigned int)about->vcpus, cell(g, 1), UC_CELL_TEXT);
		if (isinf(n->spread))
			set(g, 2, "a vCPU had none");
		else
			set(g, 2, "%.2f", n->spread);
	}
}

struct uc_sections *uc_sections_new(const struct uc_report *report)
{
	struct uc_sections *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	uc_conditions_fill(report, &s->conditions);
	uc_notices_fill(report, &s->notices);
	for (unsigned int probe = 0; probe < report->records->about.probes; probe++) {
		latency_grid(report, probe, s);
		excess_grid(report, probe, s);
	}
	cpu_grid(report, s);
	work_grid(report, s);
	spread_grid(report, s);
	return s;
}
