/* SPDX-License-Identifier: MIT */
/* What came out of a run: tables for people, JSON and CSV for programs. */
#ifndef BENCH_RAISE_REPORT_H
#define BENCH_RAISE_REPORT_H

#include <stdio.h>

#include "run.h"

void report_tables(const struct bench *b, FILE *out);
void report_json(const struct bench *b, FILE *out);
/* Every round: case, contender, nanoseconds per event. */
void report_csv(const struct bench *b, FILE *out);

#endif
