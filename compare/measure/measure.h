/* SPDX-License-Identifier: MIT */
/*
 * The measuring half of `upcall compare`: runs where the guests run (natively, or in the lab) and
 * writes what it finds as JSON Lines; docs/compare.md lists the records. compare/report/ reads
 * them. Called by cli/compare.c.
 */
#ifndef UPCALL_COMPARE_MEASURE_MEASURE_H
#define UPCALL_COMPARE_MEASURE_MEASURE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/diag.h"
#include "vmm/routing.h"

#define UC_COMPARE_POLICIES_MAX 4
#define UC_COMPARE_WORD_MAX	24

enum uc_probe {
	UC_PROBE_ICMP, /* the guest's kernel answers */
	UC_PROBE_TASK, /* UDP: a task in the guest answers */
	UC_PROBE_TCP,  /* request and response on a standing connection to a task */
	UC_PROBE_HTTP, /* connection, request and page of a web server */
	UC_PROBES,
};

struct uc_compare_config {
	const char *kernel, *initrd;
	const char *trace;   /* the target's trace file, or NULL */
	const char *where;   /* "native" or "lab", for the record */
	const char *version; /* of upcall, for the record */
	unsigned int vcpus, host_cpus, io_cpus, competitors, seconds, window_ms, rate_hz, seed;
	unsigned int slice_ms;	    /* `upcall run --slice` of the target */
	unsigned int boost_us;	    /* `upcall run --boost` of the target */
	unsigned int quota_percent; /* of one CPU, for the target; 0: no quota */
	uint64_t memory_bytes;	    /* of each guest */
	bool idle;		    /* no busy tasks in the target */
	char policy_words[UC_COMPARE_POLICIES_MAX][UC_COMPARE_WORD_MAX];
	const char *policies[UC_COMPARE_POLICIES_MAX + 1];
	bool probes[UC_PROBES];
};

/*
 * A policy as `compare` takes it: its name, with "+boost" behind it when it shall boost whatever it
 * is, or "-boost" when it shall not; without either it boosts as `upcall run` does. -EINVAL.
 */
int uc_compare_policy_parse(const char *word, enum uc_policy *policy, enum uc_boost_when *boost);

const char *uc_probe_name(enum uc_probe probe);

/*
 * Needs root (a network namespace, a tap). Nothing is left running or changed, also when SIGINT,
 * SIGTERM or SIGHUP ends it early: -EINTR, "interrupted".
 */
int uc_compare_measure(const struct uc_compare_config *config, FILE *out, struct uc_diag *diag);

#endif
