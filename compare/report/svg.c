/* SPDX-License-Identifier: MIT */
/* Rewrites gnuplot's SVG by plain replacement: its form is gnuplot's own, so no parser is needed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/report/plot.h"

static const struct rule {
	const char *from;
	const char *until; /* dropped with all that is between, when not NULL */
	const char *to;
	bool prefixed; /* the prefix comes after `to` */
} rules[] = {
	/* The two ways in which gnuplot 5 and 6 write UC_SVG_INK. */
	{"rgb(  1,   2,   3)", NULL, "currentColor", false},
	{"rgb(1,2,3)", NULL, "currentColor", false},
	{" color=\"black\"", NULL, "", false},
	{" id='", NULL, " id='", true},
	{" id=\"", NULL, " id=\"", true},
	{"xlink:href='#", NULL, "xlink:href='#", true},
	{"url(#", NULL, "url(#", true},
	{"<title>", "</title>", "", false},
	{"<desc>", "</desc>", "", false},
};

/* How many characters of `at` the rule takes; 0: it does not apply. */
static size_t apply(const struct rule *rule, const char *at, const char *prefix, FILE *out)
{
	size_t taken = strlen(rule->from);
	const char *end;

	if (strncmp(at, rule->from, taken))
		return 0;
	if (rule->until) {
		end = strstr(at, rule->until);
		if (!end)
			return 0;
		taken = (size_t)(end - at) + strlen(rule->until);
	}
	fprintf(out, "%s%s", rule->to, rule->prefixed ? prefix : "");
	return taken;
}

char *uc_svg_element(const char *file, const char *prefix)
{
	const char *at = strstr(file, "<svg");
	char *text = NULL;
	size_t size;
	FILE *out;

	if (!at || !strstr(at, "</svg>"))
		return NULL;
	out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	while (*at) {
		size_t taken = 0;

		for (size_t i = 0; i < sizeof(rules) / sizeof(*rules) && !taken; i++)
			taken = apply(&rules[i], at, prefix, out);
		if (!taken)
			fputc(*at, out);
		at += taken ? taken : 1;
	}
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
