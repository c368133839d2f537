/* SPDX-License-Identifier: MIT */
/*
 * The driver's half of the shuffle test's traffic: requests to the guest over several flows,
 * answers to the guest's own, and commands to it. One thread; everything happens inside
 * traffic_turn().
 *
 * It keeps true: every request is answered within DEADLINE_NS in which we ran, with the bytes that
 * were sent; else the program ends, and says which.
 */
#ifndef UPCALL_TESTS_SHUFFLE_TRAFFIC_H
#define UPCALL_TESTS_SHUFFLE_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

enum traffic_load {
	LOAD_NONE,
	LOAD_FULL, /* all flows, and the guest's own when it has been told */
};

struct traffic_counts {
	uint64_t pings, bulk_bytes, from_guest;
};

/* Connects to the guest; ends the program when that fails. */
void traffic_open(uint64_t seed);
/* At most 10 ms. Returns the time in which we have run. */
uint64_t traffic_turn(void);
void traffic_set_load(enum traffic_load load);
/* No request is on its way, apart from the guest's. */
bool traffic_is_idle(void);
/* One request, without other load. */
void traffic_single(void);
struct traffic_counts traffic_counts(void);

/* One at a time; the answer is the line without its newline, or NULL while there is none. */
void traffic_command(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *traffic_answer(void);
/* The command has a second answer. */
void traffic_expect_answer(void);

uint32_t random_below(uint32_t n);
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
