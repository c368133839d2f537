/* SPDX-License-Identifier: MIT */
/* The cases, in the order of the table. */
#include "loops.h"

#define EACH	       1024u /* ports of each of two senders */

#define ALONE(n, p, v) .threads = 1, .shape = {.ports = n, .vcpus = v, .priorities = p, .block = 1}
#define TWO_SENDERS(v, p, b)                                                                       \
	.kind = KIND_SENDERS, .threads = 2,                                                        \
	.shape = {.ports = 2 * EACH, .vcpus = v, .priorities = p, .block = b}
/* With the guest's IPIs, as many ports as the title says. */
#define PORTS(n) .kind = KIND_RANDOM, ALONE(n, 1, 1)
#define VCPUS(n) .kind = KIND_RANDOM, ALONE(n, 1, n)

const struct bench_case bench_cases[] = {
	{"one", "raise one, consume it", .kind = KIND_ONE, ALONE(1, 1, 1)},
	{"burst-raise", "a burst of 64: raise", .kind = KIND_BURST_RAISE, ALONE(BURST, 1, 1)},
	{"burst-consume", "a burst of 64: consume", .kind = KIND_BURST_CONSUME, ALONE(BURST, 1, 1)},
	{"idle-vcpus", "64 idle vCPUs: raise", .kind = KIND_BURST_RAISE, ALONE(BURST, 1, BURST)},
	{"pending", "raise on pending", .kind = KIND_PENDING, ALONE(1, 1, 1)},
	{"masked", "raise on masked", .kind = KIND_MASKED, ALONE(1, 1, 1)},
	{"cycle", "mask, raise, unmask, consume", .kind = KIND_CYCLE, ALONE(1, 1, 1)},
	{"2-senders", "two senders, one vCPU", TWO_SENDERS(1, 1, EACH)},
	{"2-senders-2-vcpus", "two senders, two vCPUs", TWO_SENDERS(2, 1, EACH)},
	{"2-senders-near", "two senders, two vCPUs, ports in turns", TWO_SENDERS(2, 1, 1)},
	{"2-senders-2-prios", "two senders, two priorities", TWO_SENDERS(1, 2, EACH)},
	{"2-senders-pending", "two senders on pending", .kind = KIND_PENDING_SENDERS, .threads = 2,
	 .shape = {.ports = 128, .vcpus = 1, .priorities = 1, .block = 64}},
	{"stream", "one sender, one consumer", .kind = KIND_STREAM, .threads = 2,
	 .shape = {.ports = WINDOW,
		   .vcpus = 1,
		   .priorities = 1,
		   .block = WINDOW,
		   .count_done = true}},
	{"ports-1", "1 port, raise and consume", PORTS(1)},
	{"ports-64", "64 ports at random", PORTS(64)},
	{"ports-4096", "4,095 ports at random", PORTS(4094)},
	{"ports-131071", "131,071 ports at random", PORTS(131070)},
	{"vcpus-1", "1 vCPU", VCPUS(1)},
	{"vcpus-4", "4 vCPUs at random", VCPUS(4)},
	{"vcpus-64", "64 vCPUs at random", VCPUS(64)},
	{"vcpus-1024", "1,024 vCPUs at random", VCPUS(1024)},
};
const size_t nr_bench_cases = sizeof(bench_cases) / sizeof(bench_cases[0]);

uint64_t events_unit(const struct bench_case *c)
{
	switch (c->kind) {
	case KIND_BURST_RAISE:
	case KIND_BURST_CONSUME:
		return BURST;
	case KIND_SENDERS:
		return c->shape.ports;
	case KIND_STREAM:
		return WINDOW;
	case KIND_PENDING_SENDERS:
		return 2;
	default:
		return 1;
	}
}
