/* SPDX-License-Identifier: MIT */
/*
 * What a person reads, as words in cells: conditions, tables, notices. table.c and html.c lay the
 * same words out, so the page says what the terminal said. Private; made by sections.c.
 */
#ifndef UPCALL_COMPARE_REPORT_SECTIONS_H
#define UPCALL_COMPARE_REPORT_SECTIONS_H

#include "compare/report/numbers.h"

#define UC_COLUMNS_MAX	10
#define UC_ROWS_MAX	(UC_POLICIES_MAX + 2)
#define UC_CELL_TEXT	64
#define UC_SECTIONS_MAX (2 * UC_PROBES_MAX + 3)
#define UC_LINES_MAX	(2 * UC_NOTICES_MAX + 16)
#define UC_LINE_TEXT	1024

/* Row 0 is the head. Column 0 is words (left), the others numbers (right). */
struct uc_grid {
	char title[256];
	char cell[UC_ROWS_MAX][UC_COLUMNS_MAX][UC_CELL_TEXT];
	unsigned int rows, columns;
	int probe; /* the last table of this probe: its pictures come next; or -1 */
};

struct uc_lines {
	char text[UC_LINES_MAX][UC_LINE_TEXT];
	unsigned int count;
};

struct uc_sections {
	struct uc_lines conditions, notices;
	struct uc_grid grid[UC_SECTIONS_MAX];
	unsigned int grids;
};

/* NULL: no memory. */
struct uc_sections *uc_sections_new(const struct uc_report *report);

void uc_lines_add(struct uc_lines *lines, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* conditions.c */
void uc_conditions_fill(const struct uc_report *report, struct uc_lines *conditions);
void uc_notices_fill(const struct uc_report *report, struct uc_lines *notices);
/* "icmp: answered by the guest's kernel" */
void uc_probe_title(const char *probe, char *text, size_t size);

#endif
