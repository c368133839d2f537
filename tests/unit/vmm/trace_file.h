/* SPDX-License-Identifier: MIT */
/* A trace of a test's own: opened, recorded by the real recorder, closed and read back. */
#ifndef UPCALL_TESTS_UNIT_VMM_TRACE_FILE_H
#define UPCALL_TESTS_UNIT_VMM_TRACE_FILE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "vmm/trace_match.h"

extern char trace_path[64];

/* For cmocka_run_group_tests(): the file's name, and its end. */
int trace_setup(void **state);
int trace_teardown(void **state);

/* Recording is on, of a machine "m" with 4 vCPUs. */
void trace_begin(uint32_t lanes, uint32_t records);
/* It is off; what was recorded. */
struct uc_trace_log trace_end(void);

/* A thread that records one UC_TRACE_SEND, in a lane of its own. */
void *trace_record_one(void *arg);

#endif
