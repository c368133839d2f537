/* SPDX-License-Identifier: MIT */
/* What the shuffle test's two programs agree on: guest.c and driver.c. */
#ifndef UPCALL_TESTS_SHUFFLE_SHARED_H
#define UPCALL_TESTS_SHUFFLE_SHARED_H

#include <stdint.h>
#include <time.h>

#define GUEST_IP	 "10.77.0.2"
#define GUEST_MAC	 "\x00\x16\x3e\x00\x00\x77"
#define DRIVER_IP	 "10.77.0.1"
#define DRIVER_MAC	 "\x02\x00\x00\x00\x00\x77"

#define UDP_ECHO_PORT	 7000 /* of the guest, and the UDP_FLOWS - 1 after it */
#define BULK_PORT	 7100
#define DRIVER_ECHO_PORT 7200 /* of the driver, and the DRIVER_FLOWS - 1 after it */
#define COMMAND_PORT	 7300
#define UDP_FLOWS	 4
#define DRIVER_FLOWS	 2

/* In a request's second word: answer it when every interrupt handler that runs now has ended. */
#define PING_SETTLES 1

#define LOOKS	     4 /* for one "counters" */
#define DEADLINE_NS  5000000000ull

/*
 * Time in which we ran. The lab's clock goes on while the host gives the lab no CPU, and a request
 * that is not answered then is not lost; so a turn of a loop that waits 10 ms counts 30 at most.
 */
struct live_clock {
	uint64_t last_ns, live_ns;
};

static inline uint64_t live_ns(struct live_clock *c)
{
	struct timespec now;
	uint64_t now_ns, delta_ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	delta_ns = c->last_ns ? now_ns - c->last_ns : 0;
	c->last_ns = now_ns;
	c->live_ns += delta_ns < 30000000u ? delta_ns : 30000000u;
	return c->live_ns;
}

#endif
