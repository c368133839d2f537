/* SPDX-License-Identifier: MIT */
/*
 * One page that stands alone. Every text that came from outside (the command, the guest, the host)
 * passes escape(); pictures are drawn before the first byte is written, so that the page can say
 * at its top what is missing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compare/report/page.h"
#include "compare/report/plot.h"
#include "compare/report/sections.h"

struct pictures {
	char *svg[UC_PROBES_MAX][UC_PLOTS];
	struct uc_diag missing; /* status 0: none is */
};

static void escape(const char *text, FILE *out)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

static void element(const char *tag, const char *text, FILE *out)
{
	fprintf(out, "<%s>", tag);
	escape(text, out);
	fprintf(out, "</%s>\n", tag);
}

static void draw_all(const struct uc_report *report, struct pictures *pictures)
{
	for (unsigned int probe = 0; probe < report->records->about.probes; probe++)
		for (unsigned int k = 0; k < UC_PLOTS && !pictures->missing.status; k++)
			pictures->svg[probe][k] = uc_plot_svg(report, probe, k, &pictures->missing);
}

static void title(const struct uc_about *about, FILE *out)
{
	fputs("upcall compare: ", out);
	for (unsigned int p = 0; p < about->policies; p++)
		fprintf(out, "%s%s", p ? ", " : "", about->policy[p]);
}

static void top(const struct uc_report *report, const struct uc_sections *s,
		const struct pictures *pictures, FILE *out)
{
	fputs(uc_page_head, out);
	fputs("<title>", out);
	title(&report->records->about, out);
	fputs("</title>\n", out);
	fputs(uc_page_style, out);
	fputs("<body>\n<h1>", out);
	title(&report->records->about, out);
	fputs("</h1>\n<ul class=\"conditions\">\n", out);
	for (unsigned int i = 0; i < s->conditions.count; i++)
		element("li", s->conditions.text[i], out);
	fputs("</ul>\n", out);
	if (report->command)
		element("pre", report->command, out);
	if (!s->notices.count && !pictures->missing.status)
		return;
	fputs("<div class=\"notes\"><ul>\n", out);
	if (pictures->missing.status)
		element("li", pictures->missing.text, out);
	for (unsigned int i = 0; i < s->notices.count; i++)
		element("li", s->notices.text[i], out);
	fputs("</ul></div>\n", out);
}

/* The colour that the row's policy has in the pictures; the idle floor has none. */
static void mark(const struct uc_about *about, const char *name, FILE *out)
{
	for (unsigned int p = 0; p < about->policies; p++)
		if (!strcmp(about->policy[p], name))
			fprintf(out, "<i style=\"background:%s\"></i>",
				uc_plot_colour[p % UC_PLOT_COLOURS]);
}

static void grid(const struct uc_about *about, const struct uc_grid *g, FILE *out)
{
	fputs("<div class=\"scroll\"><table>\n<thead><tr>", out);
	for (unsigned int c = 0; c < g->columns; c++)
		element("th", g->cell[0][c], out);
	fputs("</tr></thead>\n<tbody>\n", out);
	for (unsigned int r = 1; r < g->rows; r++) {
		fputs("<tr><th>", out);
		mark(about, g->cell[r][0], out);
		escape(g->cell[r][0], out);
		fputs("</th>", out);
		for (unsigned int c = 1; c < g->columns; c++)
			element("td", g->cell[r][c], out);
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
}

static void figures(char *const svg[UC_PLOTS], FILE *out)
{
	static const char *const caption[UC_PLOTS] = {
		[UC_PLOT_CDF] = "Distribution",
		[UC_PLOT_TAIL] = "Tail <small>(lower left is better)</small>",
		[UC_PLOT_TIME] = "Time line <small>(each dot a request, or several on one spot; "
				 "windows shaded by policy, idle ones lightly)</small>",
	};

	fputs("<div class=\"plots\">\n", out);
	for (unsigned int k = 0; k < UC_PLOTS; k++) {
		if (k == UC_PLOT_TIME)
			fputs("</div>\n", out);
		if (svg[k])
			fprintf(out, "<figure><figcaption>%s</figcaption>\n%s</figure>\n",
				caption[k], svg[k]);
	}
}

static void page(const struct uc_report *report, const struct uc_sections *s,
		 const struct pictures *pictures, FILE *out)
{
	const struct uc_about *about = &report->records->about;

	top(report, s, pictures, out);
	for (unsigned int i = 0; i < s->grids; i++) {
		const struct uc_grid *g = &s->grid[i];

		if (g->title[0])
			element("h2", g->title, out);
		grid(about, g, out);
		if (g->probe >= 0)
			figures(pictures->svg[g->probe], out);
	}
	fputs(uc_page_meaning, out);
	fputs("</body>\n</html>\n", out);
}

int uc_report_html(const struct uc_report *report, FILE *out, struct uc_diag *diag)
{
	struct uc_sections *s = uc_sections_new(report);
	struct pictures pictures = {0};

	if (!s)
		return uc_fail(diag, UC_EXIT_INTERNAL, ENOMEM, "no memory for the page");
	draw_all(report, &pictures);
	page(report, s, &pictures, out);
	for (unsigned int probe = 0; probe < UC_PROBES_MAX; probe++)
		for (unsigned int k = 0; k < UC_PLOTS; k++)
			free(pictures.svg[probe][k]);
	free(s);
	if (fflush(out) || ferror(out))
		return uc_fail(diag, UC_EXIT_INTERNAL, EIO, "the page could not be written");
	if (!pictures.missing.status)
		return 0;
	uc_fail(diag, (enum uc_exit)pictures.missing.status, 0, "%s", pictures.missing.text);
	return 1;
}
