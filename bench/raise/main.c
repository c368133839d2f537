/* SPDX-License-Identifier: MIT */
/* The command line of bench/raise. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

static const char usage[] =
	"raise [--seconds N] [--seed N] [--only REGEX] [--json FILE] [--csv FILE]\n"
	"raise --quick | --count N | --list [--only REGEX]\n"
	"\n"
	"What an event costs: libupcall beside others, in rounds that alternate.\n"
	"  --seconds N   how long (60)\n"
	"  --seed N      of the order of the rounds; printed when not given\n"
	"  --only REGEX  cells whose CASE/CONTENDER matches\n"
	"  --json FILE   medians, p99, ratios, conditions\n"
	"  --csv FILE    every round\n"
	"  --quick       no times: a few events of each, and are all delivered?\n"
	"  --count N     no times: exactly N events of each, for a program that counts "
	"instructions\n"
	"  --list        the cells\n";

struct options {
	double seconds;
	uint64_t seed, count;
	bool quick, list;
	const char *only, *json, *csv;
};

static const struct option long_options[] = {
	{"seconds", required_argument, NULL, 's'}, {"seed", required_argument, NULL, 'r'},
	{"only", required_argument, NULL, 'o'},	   {"json", required_argument, NULL, 'j'},
	{"csv", required_argument, NULL, 'c'},	   {"quick", no_argument, NULL, 'q'},
	{"count", required_argument, NULL, 'n'},   {"list", no_argument, NULL, 'l'},
	{"help", no_argument, NULL, 'h'},	   {NULL, 0, NULL, 0},
};

static _Noreturn void bad_usage(const char *what)
{
	fprintf(stderr, "raise: %s\n%s", what, usage);
	exit(2);
}

static uint64_t number(const char *text)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 0);

	if (!*text || *end || *text == '-')
		bad_usage("a number is expected");
	return n;
}

static void parse_one(struct options *o, int option)
{
	switch (option) {
	case 's':
		o->seconds = (double)number(optarg);
		break;
	case 'r':
		o->seed = number(optarg);
		break;
	case 'o':
		o->only = optarg;
		break;
	case 'j':
		o->json = optarg;
		break;
	case 'c':
		o->csv = optarg;
		break;
	case 'q':
		o->quick = true;
		break;
	case 'n':
		o->count = number(optarg);
		break;
	case 'l':
		o->list = true;
		break;
	case 'h':
		fputs(usage, stdout);
		exit(0);
	default:
		bad_usage("unknown option");
	}
}

static struct options parse(int argc, char **argv)
{
	struct options o = {.seconds = 60, .seed = now_ns() / 1000 % 1000000};
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		parse_one(&o, option);
	if (optind != argc)
		bad_usage("no arguments are expected");
	return o;
}

static void write_file(const struct bench *b, const char *name,
		       void (*write)(const struct bench *, FILE *))
{
	FILE *f;

	if (!name)
		return;
	f = fopen(name, "we");
	must(f != NULL, name);
	write(b, f);
	must(!fclose(f), name);
}

static void list(const struct bench *b)
{
	for (size_t i = 0; i < b->nr_cells; i++)
		if (b->cells[i].world)
			printf("%s/%s\n", b->cells[i].c->name, b->cells[i].by->name);
}

static void work(struct bench *b, const struct options *o)
{
	if (o->list) {
		list(b);
	} else if (o->quick) {
		bench_quick(b);
	} else if (o->count) {
		bench_count(b, o->count);
	} else {
		bench_measure(b);
		report_tables(b, stdout);
		write_file(b, o->json, report_json);
		write_file(b, o->csv, report_csv);
	}
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	struct bench b = {
		.contenders = {&contender_upcall, &contender_send, &contender_ipi,
			       &contender_follow, &contender_2l, &contender_draft,
			       &contender_eventfd, &contender_pipe, &contender_floor},
		.seed = o.seed,
		.random = o.seed,
		.seconds = o.seconds,
	};
	regex_t only;
	bool delivered;

	if (o.only && regcomp(&only, o.only, REG_EXTENDED | REG_NOSUB))
		bad_usage("--only: not a regular expression");
	bench_open(&b, o.only ? &only : NULL);
	work(&b, &o);
	delivered = bench_all_delivered(&b);
	bench_close(&b);
	if (o.only)
		regfree(&only);
	return delivered ? 0 : 1;
}
