/* SPDX-License-Identifier: MIT */
/* The page's pictures, as SVG elements ready to stand inside HTML. Private; called by html.c. */
#ifndef UPCALL_COMPARE_REPORT_PLOT_H
#define UPCALL_COMPARE_REPORT_PLOT_H

#include "compare/report/numbers.h"

enum uc_plot { UC_PLOT_CDF, UC_PLOT_TAIL, UC_PLOT_TIME, UC_PLOTS };

#define UC_PLOT_COLOURS 8
/* Of policies, in order, again from the first after the last; "#rrggbb". */
extern const char *const uc_plot_colour[UC_PLOT_COLOURS];

/* To be freed; NULL: `diag` says what is missing. */
char *uc_plot_svg(const struct uc_report *report, unsigned int probe, enum uc_plot plot,
		  struct uc_diag *diag);

/* gnuplot.c: what gnuplot makes of a script that asks for SVG. To be freed; NULL as above. */
char *uc_gnuplot(FILE *script, struct uc_diag *diag);

/*
 * svg.c: gnuplot's file as an element: no prolog, no tool tips, every id starts with `prefix` (so
 * that several fit on one page), and UC_SVG_INK becomes the page's own text colour. To be freed;
 * NULL: not an SVG file, or no memory.
 */
char *uc_svg_element(const char *file, const char *prefix);
#define UC_SVG_INK "#010203"

#endif
