/* SPDX-License-Identifier: MIT */
/*
 * The table for people: every column as wide as its widest cell. Widths are counted in
 * characters, so that a name in UTF-8 does not shift its row.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compare/report/sections.h"

static int width_of(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static int column_width(const struct uc_grid *g, unsigned int column)
{
	int widest = 0;

	for (unsigned int r = 0; r < g->rows; r++)
		if (width_of(g->cell[r][column]) > widest)
			widest = width_of(g->cell[r][column]);
	return widest;
}

static void print_grid(const struct uc_grid *g, FILE *out)
{
	fputc('\n', out);
	if (g->title[0])
		fprintf(out, "%s\n", g->title);
	for (unsigned int r = 0; r < g->rows; r++) {
		fprintf(out, "  %s%*s", g->cell[r][0], column_width(g, 0) - width_of(g->cell[r][0]),
			"");
		for (unsigned int c = 1; c < g->columns; c++)
			fprintf(out, "  %*s%s", column_width(g, c) - width_of(g->cell[r][c]), "",
				g->cell[r][c]);
		fputc('\n', out);
	}
}

int uc_report_table(const struct uc_report *report, FILE *out, struct uc_diag *diag)
{
	struct uc_sections *s = uc_sections_new(report);

	if (!s)
		return uc_fail(diag, UC_EXIT_INTERNAL, ENOMEM, "no memory for the table");
	for (unsigned int i = 0; i < s->conditions.count; i++)
		fprintf(out, "%s\n", s->conditions.text[i]);
	for (unsigned int i = 0; i < s->grids; i++)
		print_grid(&s->grid[i], out);
	for (unsigned int i = 0; i < s->notices.count; i++)
		fprintf(out, "%snote: %s\n", i ? "" : "\n", s->notices.text[i]);
	free(s);
	if (fflush(out) || ferror(out))
		return uc_fail(diag, UC_EXIT_INTERNAL, EIO, "the table could not be written");
	return 0;
}
