/* SPDX-License-Identifier: MIT */
/* What the files of `upcall compare` share: what was asked for, and the measuring child. */
#ifndef UPCALL_CLI_COMPARE_H
#define UPCALL_CLI_COMPARE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "compare/measure/measure.h"
#include "compare/report/report.h"
#include "vmm/diag.h"

/* Filled by the option table in compare.c; the lists are as typed. */
struct uc_compare_asked {
	struct uc_compare_config config;
	const char *load, *policies, *probes;
	const char *netfront, *csv, *html, *json, *records;
	bool only_measure;
};

/* ---- compare_words.c ---- */

/* A command line, with room for its words. */
struct uc_compare_line {
	char text[48][PATH_MAX];
	char *argv[49];
	int count;
};

/* The lists and words become those of asked->config. -errno, `diag`. */
int uc_compare_parse_words(struct uc_compare_asked *asked, struct uc_diag *diag);
/* The child's command line, in `line` (all zero before). */
void uc_compare_make_line(struct uc_compare_line *line, const struct uc_compare_asked *asked,
			  bool lab);
/* What to type for the same again. */
void uc_compare_describe(const struct uc_compare_asked *asked, char *text, size_t size);

/* ---- compare_child.c ---- */

/*
 * From now on SIGINT, SIGTERM and SIGHUP first end the child, which puts back what it changed, and
 * remove `leftover` (which may change until then, and be "").
 */
void uc_compare_catch_signals(const char *leftover);
/* A signal that came while there was a child ends this process here; otherwise returns. */
void uc_compare_end_if_told(void);

/*
 * This program as a child with the words `argv`: what it prints goes to `records` and to `keep`
 * (NULL: nowhere). 0; 1 when the child ended badly and has said why itself: *status is its status;
 * or -errno, `diag`. The child has ended in any case.
 */
int uc_compare_run_child(char *const *argv, struct uc_records *records, FILE *keep, int *status,
			 struct uc_diag *diag);

#endif
