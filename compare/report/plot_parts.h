/* SPDX-License-Identifier: MIT */
/* What the scripts of plot.c and plot_time.c share. Private to them. */
#ifndef UPCALL_COMPARE_REPORT_PLOT_PARTS_H
#define UPCALL_COMPARE_REPORT_PLOT_PARTS_H

#include "compare/report/plot.h"

struct uc_plot_range {
	double low, high; /* us; low > 0, high > low */
};

const char *uc_plot_colour_of(unsigned int policy);
/* gnuplot draws nothing, and complains, where nothing was answered. */
bool uc_plot_has(const struct uc_cell *cell);
/* Of all latencies of a probe, with a little room. */
struct uc_plot_range uc_plot_range(const struct uc_report *report, unsigned int probe);
void uc_plot_frame(FILE *script, int width, int height);
void uc_plot_label(FILE *script, char axis, const char *text);
/* `room`: by how much the axis goes on above the range, as a factor. */
void uc_plot_latency_axis(const struct uc_report *report, unsigned int probe, char axis,
			  double room, FILE *script);

/* plot_time.c; -ENOMEM. */
int uc_plot_time_script(const struct uc_report *report, unsigned int probe, FILE *script);

#endif
