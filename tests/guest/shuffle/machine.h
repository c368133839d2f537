/* SPDX-License-Identifier: MIT */
/*
 * The machine under the shuffle test: its control socket, every change that is asked of it there,
 * and what must be true of its ports, sets and CPUs after each. An op that is not done, or not
 * refused, as it must be ends the program. Called by driver.c; one thread.
 */
#ifndef UPCALL_TESTS_SHUFFLE_MACHINE_H
#define UPCALL_TESTS_SHUFFLE_MACHINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define CPUS 4
#define ALL  ((1u << CPUS) - 1)

struct machine_round {
	json_t *allowed;	   /* for each port that moves: where its events may have gone */
	uint32_t toggled;	   /* CPUs that went off or on in this round */
	unsigned int ops, refused; /* in all */
};

/* Connects once the guest can be talked to: its network card's ports are there, and are checked. */
void machine_open(const char *name);
/* Nothing that can move waits for the guest. */
bool machine_is_quiet(void);
struct machine_round machine_round(void);
/* What events were allowed before no longer counts. */
void machine_next_round(void);

const char *random_policy(void);
/* One that can move, or one that cannot. */
uint32_t random_port(bool moves);

/* port == 0: the machine's. */
void change_policy(uint32_t port);
void change_set(uint32_t port, uint32_t set);
void drop_set(uint32_t port);
void change_priority(bool moves);
void ask_what_is_refused(void);
void set_policy(const char *policy);
/* Every port under this policy, which is the machine's, in its own random set or in none. */
void settle(const char *policy, bool sets);

/* A CPU goes off, or on again: from toggle_cpu() until the guest's answer is given to
 * toggled_cpu(). */
void toggle_cpu(uint32_t cpu);
bool is_toggling(void);
void toggled_cpu(const char *answer);
bool cpu_is_dead(uint32_t cpu);

#endif
