/* SPDX-License-Identifier: MIT */
/*
 * What the stream said, checked: every index is in range, every name is plain ([A-Za-z0-9._-]),
 * no text has a control character. Private to this room; filled by parse.c alone.
 */
#ifndef UPCALL_COMPARE_REPORT_RECORDS_H
#define UPCALL_COMPARE_REPORT_RECORDS_H

#include "compare/report/report.h"

#define UC_POLICIES_MAX	   16
#define UC_PROBES_MAX	   8
#define UC_VCPUS_MAX	   1024
#define UC_NAME_MAX	   32
#define UC_TEXT_MAX	   256
#define UC_NOTICES_MAX	   64
#define UC_WINDOWS_MAX	   1000000
#define UC_SAMPLES_MAX	   20000000 /* 480 MB here */
#define UC_LATENCY_US_LOST (-1)

enum uc_phase { UC_PHASE_IDLE, UC_PHASE_LOAD };

struct uc_about {
	char kernel[UC_TEXT_MAX], host[UC_TEXT_MAX], version[UC_TEXT_MAX];
	char load[UC_NAME_MAX + 1], where[UC_NAME_MAX + 1];
	int64_t vcpus, host_cpus, competitors, competitor_vcpus, quota_percent;
	int64_t rate_hz, window_ms, seconds, seed;
	char policy[UC_POLICIES_MAX][UC_NAME_MAX + 1];
	char probe[UC_PROBES_MAX][UC_NAME_MAX + 1];
	unsigned int policies, probes;
};

struct uc_window {
	int64_t id, start_us, end_us;
	int64_t vcpu_cpu_us, vmm_cpu_us, competitor_cpu_us, work, handed_over, watch_looks;
	enum uc_phase phase;
	unsigned int policy;
	int64_t *upcalls, *events; /* per vCPU */
};

struct uc_sample {
	int64_t sent_us, latency_us;
	uint32_t window_id; /* its window may not have ended (yet) */
	uint32_t probe;
};

struct uc_texts {
	char text[UC_NOTICES_MAX][UC_TEXT_MAX];
	unsigned int count;
	unsigned int dropped; /* said, but more than are kept */
};

struct uc_records {
	struct uc_about about;
	bool has_about, has_progress, has_end;
	unsigned long line; /* of the stream, from 1 */
	struct uc_run_progress progress;
	struct uc_window *window;
	size_t windows, windows_cap;
	int32_t *window_of_id; /* index into window[], or -1 */
	size_t ids;
	struct uc_sample *sample;
	size_t samples, samples_cap;
	struct uc_texts notices, log_problems;
	int64_t end_lost;
};

/* NULL: there is no such window, or it never ended. */
const struct uc_window *uc_window_by_id(const struct uc_records *records, uint32_t id);
/* The next free slot, zeroed, not yet counted; NULL: no memory. */
struct uc_window *uc_records_window_slot(struct uc_records *records);
/* Counts the slot's window under its id. -ENOMEM: it is not counted. */
int uc_records_window_keep(struct uc_records *records);
int uc_records_samples_reserve(struct uc_records *records, size_t more);

#endif
