/* SPDX-License-Identifier: MIT */
/* The reports of report.h. The first contender is the one that the others are compared with. */
#include "report.h"

#include <string.h>

#define NAME_WIDTH   40
#define COLUMN_WIDTH 13

static void cpu_model(char *model, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(model, size, "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) || !colon)
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(model, size, "%s", colon + 2);
		break;
	}
	if (f)
		fclose(f);
}

static size_t rounds_of(const struct bench *b)
{
	for (size_t i = 0; i < b->nr_cells; i++)
		if (b->cells[i].rounds)
			return b->cells[i].rounds;
	return 0;
}

static void conditions(const struct bench *b, FILE *out)
{
	char model[128];

	cpu_model(model, sizeof(model));
	fprintf(out,
		"%s, %u CPU%s; %zu rounds of each in %.0f s, seed %llu; load %.1f before, %.1f "
		"after; others used %.2f CPUs meanwhile\n",
		model, b->cpus, b->cpus == 1 ? "" : "s", rounds_of(b), b->elapsed,
		(unsigned long long)b->seed, b->load[0], b->load[1], b->others);
	if (b->cpus < 2)
		fprintf(out, "Only one CPU: where two threads work, they take turns on it, and the "
			     "numbers say little.\n");
}

static void heading(const struct bench *b, FILE *out, const char *what)
{
	fprintf(out, "\n%-*s", NAME_WIDTH, what);
	for (size_t i = 0; i < CONTENDERS; i++)
		fprintf(out, "%*s", COLUMN_WIDTH, b->contenders[i]->name);
	fputc('\n', out);
}

static void put_median(const struct cell *cell, const struct cell *base, char *text, size_t size)
{
	if (cell != base && base->rounds)
		snprintf(text, size, "%.1f x%.2g", cell->median, cell->median / base->median);
	else
		snprintf(text, size, "%.1f", cell->median);
}

static void put_p99(const struct cell *cell, const struct cell *base, char *text, size_t size)
{
	(void)base;
	snprintf(text, size, "%.1f", cell->p99);
}

static void table(const struct bench *b, FILE *out, const char *title,
		  void (*put)(const struct cell *, const struct cell *, char *, size_t))
{
	char text[64];

	heading(b, out, title);
	for (size_t c = 0; c < nr_bench_cases; c++) {
		const struct cell *base = bench_cell(b, c, 0);
		size_t any = 0;

		for (size_t i = 0; i < CONTENDERS; i++)
			any += bench_cell(b, c, i)->rounds;
		if (!any)
			continue;
		fprintf(out, "%-*s", NAME_WIDTH, bench_cases[c].title);
		for (size_t i = 0; i < CONTENDERS; i++) {
			const struct cell *cell = bench_cell(b, c, i);

			snprintf(text, sizeof(text), "-");
			if (cell->rounds)
				put(cell, base, text, sizeof(text));
			fprintf(out, "%*s", COLUMN_WIDTH, text);
		}
		fputc('\n', out);
	}
}

void report_tables(const struct bench *b, FILE *out)
{
	conditions(b, out);
	table(b, out, "ns per event: median, ratio", put_median);
	table(b, out, "ns per event: p99 of the rounds", put_p99);
	fputc('\n', out);
	for (size_t i = 0; i < CONTENDERS; i++)
		fprintf(out, "%-10s%s\n", b->contenders[i]->name, b->contenders[i]->title);
}

static void json_cell(const struct bench *b, const struct cell *cell, FILE *out, bool first)
{
	const struct cell *base = bench_cell(b, (size_t)(cell->c - bench_cases), 0);

	fprintf(out,
		"%s\n  {\"case\": \"%s\", \"contender\": \"%s\", \"median_ns\": %.3f, "
		"\"p99_ns\": %.3f, \"least_ns\": %.3f, \"rounds\": %zu, \"events_per_round\": %llu",
		first ? "" : ",", cell->c->name, cell->by->name, cell->median, cell->p99,
		cell->least, cell->rounds, (unsigned long long)cell->events);
	if (base->rounds)
		fprintf(out, ", \"ratio\": %.3f", cell->median / base->median);
	fprintf(out, "}");
}

void report_json(const struct bench *b, FILE *out)
{
	bool first = true;
	char model[128];

	cpu_model(model, sizeof(model));
	fprintf(out,
		"{\"cpu\": \"%s\", \"cpus\": %u, \"seed\": %llu, \"seconds\": %.1f, "
		"\"load_before\": %.2f, \"load_after\": %.2f, \"cpus_used_by_others\": %.2f, "
		"\"compiler\": \"%s\",\n \"results\": [",
		model, b->cpus, (unsigned long long)b->seed, b->elapsed, b->load[0], b->load[1],
		b->others, __VERSION__);
	for (size_t i = 0; i < b->nr_cells; i++) {
		if (!b->cells[i].rounds)
			continue;
		json_cell(b, &b->cells[i], out, first);
		first = false;
	}
	fprintf(out, "\n]}\n");
}

void report_csv(const struct bench *b, FILE *out)
{
	fprintf(out, "case,contender,ns_per_event\n");
	for (size_t i = 0; i < b->nr_cells; i++)
		for (size_t r = 0; r < b->cells[i].rounds; r++)
			fprintf(out, "%s,%s,%.3f\n", b->cells[i].c->name, b->cells[i].by->name,
				b->cells[i].ns[r]);
}
