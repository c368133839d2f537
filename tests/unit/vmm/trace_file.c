/* SPDX-License-Identifier: MIT */
#include "trace_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char trace_path[64];

int trace_setup(void **state)
{
	int fd;

	(void)state;
	snprintf(trace_path, sizeof(trace_path), "/tmp/upcall-trace-XXXXXX");
	fd = mkstemp(trace_path);
	return fd < 0 ? -1 : close(fd);
}

/* The last test may have left none. */
int trace_teardown(void **state)
{
	(void)state;
	unlink(trace_path);
	return 0;
}

void trace_begin(uint32_t lanes, uint32_t records)
{
	struct uc_trace_config config = {.path = trace_path,
					 .machine = "m",
					 .nr_vcpus = 4,
					 .nr_lanes = lanes,
					 .file_bytes = (uint64_t)lanes * records *
						       sizeof(struct uc_trace_record)};
	struct uc_diag diag = {0};

	assert_int_equal(uc_trace_open(&config, &diag), 0);
}

struct uc_trace_log trace_end(void)
{
	struct uc_diag diag = {0};
	struct uc_trace_log log;

	uc_trace_close();
	if (uc_trace_read(&log, trace_path, &diag))
		fail_msg("%s", diag.text);
	return log;
}

void *trace_record_one(void *arg)
{
	(void)arg;
	uc_trace_put(UC_TRACE_SEND, 0, 1, 0, 0);
	return NULL;
}
