/* SPDX-License-Identifier: MIT */
/* A program that is run for its answer; see child.c. */
#ifndef UPCALL_LAB_CHILD_H
#define UPCALL_LAB_CHILD_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Run argv[0] (searched in PATH) to its end and give the first line of its stdout, without the
 * newline. Its stdin is empty; its stderr is ours, or dropped when `quiet`. Returns its exit status
 * (128 + N for signal N, 127 when it could not be run), or -errno.
 */
int uc_lab_child(const char *const argv[], bool quiet, char *line, size_t size);

#endif
