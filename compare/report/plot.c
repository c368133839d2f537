/* SPDX-License-Identifier: MIT */
/*
 * The scripts for gnuplot: distribution and tail of one probe, and what all pictures share. Curves
 * are thinned to what an eye can tell apart on the picture, the ends of the tail never. Names are
 * plain (records.h), so none can say anything to gnuplot.
 */
#include "compare/report/plot_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* Of middle lightness: they stand out from a white page and from a dark one. */
const char *const uc_plot_colour[UC_PLOT_COLOURS] = {
	"#d9722e", "#2f86c9", "#2fa37c", "#b565b0", "#b8962e", "#d0556b", "#5b9a3a", "#7a78d0",
};
#define IDLE_COLOUR "#8a8a8a"

const char *uc_plot_colour_of(unsigned int policy)
{
	return uc_plot_colour[policy % UC_PLOT_COLOURS];
}

void uc_plot_frame(FILE *script, int width, int height)
{
	fprintf(script,
		"set encoding utf8\n"
		"set terminal svg size %d,%d dynamic rounded noenhanced font 'sans-serif,13'\n"
		"set border 3 lc rgb '" UC_SVG_INK "' lw 0.8\n"
		"set tics nomirror out scale 0.6 textcolor rgb '" UC_SVG_INK "'\n"
		"set grid xtics ytics lc rgb '#a0888888' lw 0.8 dt 1\n"
		"set key outside top center horizontal textcolor rgb '" UC_SVG_INK "'\n",
		width, height);
}

void uc_plot_label(FILE *script, char axis, const char *text)
{
	fprintf(script, "set %clabel '%s' textcolor rgb '" UC_SVG_INK "'\n", axis, text);
}

/* gnuplot needs something to draw even where nothing was measured. */
bool uc_plot_has(const struct uc_cell *c)
{
	return c->pool.n > c->pool.lost;
}

/* Values and how many are at most as large; 500 steps of the whole, and 3 % steps of the rest. */
static void curve_data(FILE *script, const char *name, const struct uc_cell *c)
{
	size_t n = c->pool.n, last = 0;

	fprintf(script, "$%s << EOD\n", name);
	for (size_t i = 1; i <= n - c->pool.lost; i++) {
		bool first = i == 1, end = i == n - c->pool.lost;
		double rest = (double)(n - i + 1), rest_before = (double)(n - last + 1);

		if (!first && !end && (i - last) * 500 < n && rest > rest_before * 0.97)
			continue;
		last = i;
		/* A clock of 1 us may show 0, which has no logarithm. */
		fprintf(script, "%.6g %.9g %.9g\n", fmax(c->pool.sample[i - 1].us, 1) / 1000,
			(double)i / (double)n, rest / (double)n);
	}
	fprintf(script, "EOD\n");
}

static void curves_data(const struct uc_report *report, unsigned int probe, FILE *script)
{
	char name[16];

	if (uc_plot_has(&report->idle[probe]))
		curve_data(script, "idle", &report->idle[probe]);
	for (unsigned int p = 0; p < report->records->about.policies; p++) {
		snprintf(name, sizeof(name), "p%u", p);
		if (uc_plot_has(&report->load[probe][p]))
			curve_data(script, name, &report->load[probe][p]);
	}
}

/* `how`: the columns and the style of each curve. */
static void curves(const struct uc_report *report, unsigned int probe, const char *how,
		   FILE *script)
{
	const struct uc_about *about = &report->records->about;

	fprintf(script, "plot NaN notitle");
	if (uc_plot_has(&report->idle[probe]))
		fprintf(script,
			", $idle %s lw 1.6 dt 2 lc rgb '" IDLE_COLOUR "' title 'idle floor'", how);
	for (unsigned int p = 0; p < about->policies; p++)
		if (uc_plot_has(&report->load[probe][p]))
			fprintf(script, ", $p%u %s lw 2 dt %u lc rgb '%s' title '%s'", p, how,
				p < UC_PLOT_COLOURS ? 1 : 4, uc_plot_colour_of(p),
				about->policy[p]);
	fprintf(script, "\n");
}

struct uc_plot_range uc_plot_range(const struct uc_report *report, unsigned int probe)
{
	struct uc_plot_range range = {INFINITY, 1};

	for (unsigned int p = 0; p <= report->records->about.policies; p++) {
		const struct uc_cell *c = p ? &report->load[probe][p - 1] : &report->idle[probe];

		if (!uc_plot_has(c))
			continue;
		range.low = fmin(range.low, fmax(c->pool.sample[0].us, 1));
		range.high = fmax(range.high, c->pool.sample[c->pool.n - c->pool.lost - 1].us);
	}
	if (isinf(range.low))
		range.low = 1;
	/* Never empty, whatever came. */
	range.low /= 1.15;
	range.high = fmax(range.high, range.low) * 1.15;
	return range;
}

void uc_plot_latency_axis(const struct uc_report *report, unsigned int probe, char axis,
			  double room, FILE *script)
{
	struct uc_plot_range range = uc_plot_range(report, probe);

	fprintf(script, "set logscale %c\nset format %c '%%g'\nset %crange [%.6g:%.6g]\n", axis,
		axis, axis, range.low / 1000, range.high * room / 1000);
}

static void cdf_script(const struct uc_report *report, unsigned int probe, FILE *script)
{
	uc_plot_frame(script, 640, 400);
	uc_plot_latency_axis(report, probe, 'x', 1, script);
	fprintf(script, "set yrange [0:1]\n");
	uc_plot_label(script, 'x', "latency, ms");
	uc_plot_label(script, 'y', "requests answered within it");
	curves_data(report, probe, script);
	curves(report, probe, "using 1:2 with steps", script);
}

/* The lowest point of any curve: one request of the most. */
static double least_share(const struct uc_report *report, unsigned int probe)
{
	size_t most = report->idle[probe].pool.n;

	for (unsigned int p = 0; p < report->records->about.policies; p++)
		if (report->load[probe][p].pool.n > most)
			most = report->load[probe][p].pool.n;
	return most > 100 ? 1 / (double)most : 0.01;
}

static void tail_script(const struct uc_report *report, unsigned int probe, FILE *script)
{
	uc_plot_frame(script, 640, 400);
	uc_plot_latency_axis(report, probe, 'x', 1, script);
	fprintf(script,
		"set logscale y\n"
		"set yrange [%.3g:1]\n"
		"set ytics ('all' 1, 'p50' 0.5, 'p90' 0.1, 'p95' 0.05, 'p99' 0.01, 'p99.9' 0.001, "
		"'p99.99' 0.0001, 'p99.999' 0.00001)\n",
		least_share(report, probe) * 0.8);
	uc_plot_label(script, 'x', "latency, ms");
	uc_plot_label(script, 'y', "requests that took at least as long");
	curves_data(report, probe, script);
	curves(report, probe, "using 1:3 with fsteps", script);
}

static int write_script(const struct uc_report *report, unsigned int probe, enum uc_plot plot,
			FILE *script)
{
	switch (plot) {
	case UC_PLOT_CDF:
		cdf_script(report, probe, script);
		return 0;
	case UC_PLOT_TAIL:
		tail_script(report, probe, script);
		return 0;
	default:
		return uc_plot_time_script(report, probe, script);
	}
}

static char *draw(FILE *script, unsigned int probe, enum uc_plot plot, struct uc_diag *diag)
{
	char *file = uc_gnuplot(script, diag), *svg = NULL;
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "plot%u-%d-", probe, plot);
	if (file) {
		svg = uc_svg_element(file, prefix);
		if (!svg)
			uc_fail(diag, UC_EXIT_INTERNAL, EIO,
				"no plots: what gnuplot wrote is not SVG (its svg terminal is "
				"needed)");
	}
	free(file);
	return svg;
}

char *uc_plot_svg(const struct uc_report *report, unsigned int probe, enum uc_plot plot,
		  struct uc_diag *diag)
{
	FILE *script = tmpfile();
	char *svg = NULL;

	if (script && !write_script(report, probe, plot, script))
		svg = draw(script, probe, plot, diag);
	else
		uc_fail(diag, UC_EXIT_INTERNAL, EIO, "no plots: no memory, or no room in /tmp");
	if (script)
		fclose(script);
	return svg;
}
