/* SPDX-License-Identifier: MIT */
/*
 * The script for the time line of one probe: every request where and when it was sent, windows
 * shaded by policy. Of the requests on one spot of the picture one is drawn. Called by plot.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/report/plot_parts.h"

#define COLUMNS 600
#define ROWS	110

static int64_t first_us(const struct uc_records *r)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < r->windows; i++)
		if (r->window[i].start_us < first)
			first = r->window[i].start_us;
	return first;
}

static double last_s(const struct uc_records *r)
{
	int64_t last = 0;

	for (size_t i = 0; i < r->windows; i++)
		if (r->window[i].end_us > last)
			last = r->window[i].end_us;
	return (double)(last - first_us(r)) / 1e6;
}

static void shades(const struct uc_records *r, FILE *script)
{
	int64_t first = first_us(r);

	for (size_t i = 0; i < r->windows; i++)
		fprintf(script,
			"set object %zu rect from %.3f, graph 0 to %.3f, graph 1 fc rgb '%s' "
			"fs transparent solid %s noborder behind\n",
			i + 1, (double)(r->window[i].start_us - first) / 1e6,
			(double)(r->window[i].end_us - first) / 1e6,
			uc_plot_colour_of(r->window[i].policy),
			r->window[i].phase == UC_PHASE_IDLE ? "0.05" : "0.16");
}

/*
 * The picture's spots, the last row for the lost: whose request came there first, so that no
 * policy hides another throughout.
 */
#define FREE  0xff
#define DRAWN 0xfe

struct canvas {
	const struct uc_records *records;
	unsigned int probe;
	struct uc_plot_range range;
	int64_t first_us;
	double length_us;
	uint8_t spot[COLUMNS + 1][ROWS + 1]; /* a policy, or one of the above */
};

static double us_of(const struct uc_sample *s)
{
	return s->latency_us == UC_LATENCY_US_LOST ? INFINITY : fmax((double)s->latency_us, 1);
}

/* NULL: the sample is not of this picture. */
static uint8_t *spot_of(struct canvas *c, const struct uc_sample *s)
{
	double x = (double)(s->sent_us - c->first_us) / c->length_us, us = us_of(s);
	double y = isinf(us) ? 1 : log(us / c->range.low) / log(c->range.high / c->range.low);

	if (s->probe != c->probe || !(x >= 0 && x <= 1 && y >= 0 && y <= 1))
		return NULL;
	return &c->spot[(int)(x * COLUMNS)][(int)(y * ROWS)];
}

static void share_spots(struct canvas *c)
{
	const struct uc_records *r = c->records;

	memset(c->spot, FREE, sizeof(c->spot));
	for (size_t i = 0; i < r->samples; i++) {
		const struct uc_window *w = uc_window_by_id(r, r->sample[i].window_id);
		uint8_t *spot = w ? spot_of(c, &r->sample[i]) : NULL;

		if (spot && *spot == FREE)
			*spot = (uint8_t)w->policy;
	}
}

/* Columns: s, ms, and 1 where it was lost (its place is then above all others). */
static void time_data(struct canvas *c, unsigned int policy, FILE *script)
{
	const struct uc_records *r = c->records;

	fprintf(script, "$t%u << EOD\n", policy);
	for (size_t i = 0; i < r->samples; i++) {
		const struct uc_sample *s = &r->sample[i];
		const struct uc_window *w = uc_window_by_id(r, s->window_id);
		uint8_t *spot = w && w->policy == policy ? spot_of(c, s) : NULL;
		double us = us_of(s);

		if (!spot || *spot != policy)
			continue;
		*spot = DRAWN;
		fprintf(script, "%.4f %.6g %d\n", (double)(s->sent_us - c->first_us) / 1e6,
			(isinf(us) ? c->range.high * 1.2 : us) / 1000, isinf(us) ? 1 : 0);
	}
	fprintf(script, "-1 1 0\n-1 1 1\nEOD\n"); /* outside: gnuplot draws no empty data */
}

/*
 * A dot is a line that is next to nothing long, with round ends: a third of what gnuplot's own
 * points take on the page.
 */
static void points(const struct uc_about *about, double dot_s, bool any_lost, FILE *script)
{
	fprintf(script, "plot NaN notitle");
	for (unsigned int p = 0; p < about->policies; p++) {
		fprintf(script,
			", $t%u using 1:($3 == 0 ? $2 : NaN):(%.6f):(0) with vectors nohead lw 2.4 "
			"lc rgb '%s' "
			"notitle, NaN with points pt 7 ps 0.8 lc rgb '%s' title '%s'",
			p, dot_s, uc_plot_colour_of(p), uc_plot_colour_of(p), about->policy[p]);
		if (any_lost)
			fprintf(script,
				", $t%u using 1:($3 == 1 ? $2 : NaN) with points pt 9 ps 0.7 lc "
				"rgb '%s' "
				"notitle",
				p, uc_plot_colour_of(p));
	}
	if (any_lost)
		fprintf(script, ", NaN with points pt 9 ps 0.8 lc rgb '" UC_SVG_INK
				"' title 'lost (at the top)'");
	fprintf(script, "\n");
}

static bool has_lost(const struct uc_report *report, unsigned int probe)
{
	size_t lost = report->idle[probe].pool.lost;

	for (unsigned int p = 0; p < report->records->about.policies; p++)
		lost += report->load[probe][p].pool.lost;
	return lost;
}

int uc_plot_time_script(const struct uc_report *report, unsigned int probe, FILE *script)
{
	const struct uc_records *r = report->records;
	struct canvas *c = calloc(1, sizeof(*c));
	bool any_lost = has_lost(report, probe);

	if (!c)
		return -ENOMEM;
	c->records = r;
	c->probe = probe;
	c->range = uc_plot_range(report, probe);
	c->first_us = first_us(r);
	c->length_us = last_s(r) * 1e6;
	share_spots(c);
	uc_plot_frame(script, 1300, 400);
	uc_plot_latency_axis(report, probe, 'y', any_lost ? 1.5 : 1, script);
	fprintf(script, "set xrange [0:%.3f]\nunset grid\n", last_s(r));
	uc_plot_label(script, 'x', "time, s");
	uc_plot_label(script, 'y', "latency, ms");
	shades(r, script);
	for (unsigned int p = 0; p < r->about.policies; p++)
		time_data(c, p, script);
	points(&r->about, last_s(r) * 1e-4, any_lost, script);
	free(c);
	return 0;
}
