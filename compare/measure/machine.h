/* SPDX-License-Identifier: MIT */
/* A guest of a comparison: `upcall run` as a child, its console watched, asked over its socket. */
#ifndef UPCALL_COMPARE_MEASURE_MACHINE_H
#define UPCALL_COMPARE_MEASURE_MACHINE_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compare/measure/measure.h"
#include "vmm/ctl/client.h"

#define UC_MACHINE_TAP	    "upcall0"
#define UC_MACHINE_PROBLEMS 8

struct uc_machine {
	pid_t pid; /* 0: not started */
	char name[40];
	int console;
	pthread_t reader;
	struct uc_ctl_client ctl;
	bool connected;
	uint32_t ready, failed;			 /* the agent has said so */
	char last[256];				 /* line of the console; for when it dies */
	char problems[UC_MACHINE_PROBLEMS][160]; /* lines that a sound guest does not print */
	uint32_t nr_problems;
};

struct uc_machine_config {
	const struct uc_compare_config *compare;
	const char *role;    /* "target" or "competitor" */
	const char *address; /* the target's; NULL: no network card */
	unsigned int number;
};

/* -errno, `diag`. */
int uc_machine_start(struct uc_machine *m, const struct uc_machine_config *config,
		     struct uc_diag *diag);
/* Until the agent is ready. -ECHILD with the console's last line when the machine has ended. */
int uc_machine_wait_ready(struct uc_machine *m, unsigned int timeout_s, struct uc_diag *diag);
/* One request to its control socket; result as in uc_ctl_ask(). */
int uc_machine_ask(struct uc_machine *m, json_t *request, json_t **result, struct uc_diag *diag);
/* Ended, and its reader joined; m->problems is whole. */
void uc_machine_stop(struct uc_machine *m);

#endif
