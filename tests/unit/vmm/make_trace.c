/* SPDX-License-Identifier: MIT */
/*
 * A trace for tests/cli/trace.bats, by the real recorder: 3 requests of which 2 are answered, the
 * second after a hand-over from vCPU 1 to vCPU 0.
 */
#include <stdio.h>
#include <time.h>

#include "vmm/trace_packet.h"

#define RX 10u
#define TX 11u
/* All four vCPUs: running, preempted, halted, offline. */
#define STATES (0u | 2u << 2 | 1u << 4 | 3u << 6)

static void packet(enum uc_trace_kind kind, uint32_t tag)
{
	uc_trace_put(kind, 0, RX, tag, uc_trace_packet_arg(98, TX));
}

static void request(uint32_t tag, uint32_t vcpu)
{
	packet(UC_TRACE_TAP_READ, tag);
	packet(UC_TRACE_RX_FILLED, tag);
	uc_trace_put(UC_TRACE_RAISE, 0, RX, tag, STATES);
	uc_trace_put(UC_TRACE_KICK, vcpu, 0, 0, 2);
	uc_trace_put(UC_TRACE_RAISED, vcpu, RX, tag, 0);
}

static void answer(uint32_t tag, uint32_t vcpu)
{
	uc_trace_put(UC_TRACE_EXIT, vcpu, 0, 0, 34);
	uc_trace_put(UC_TRACE_SEND, vcpu, TX, 0, 0);
	uc_trace_put(UC_TRACE_ENTER, vcpu, 0, 0, 0);
	packet(UC_TRACE_TX_TAKEN, tag);
	packet(UC_TRACE_TAP_WRITE, tag);
}

static void hand_over(void)
{
	const struct timespec pause = {.tv_nsec = 20000000};

	nanosleep(&pause, NULL);
	uc_trace_put(UC_TRACE_LOOK, 0, 0, 0, STATES);
	uc_trace_put(UC_TRACE_KICK, 0, 0, 0, 0);
	uc_trace_put(UC_TRACE_HANDOVER, 1, 0, 0, 1);
}

int main(int argc, char **argv)
{
	struct uc_trace_config config = {.path = argc > 1 ? argv[1] : "",
					 .machine = "sample",
					 .nr_vcpus = 4,
					 .nr_lanes = 1,
					 .file_bytes = 4096};
	struct uc_diag diag = {0};

	if (uc_trace_open(&config, &diag)) {
		fprintf(stderr, "%s\n", diag.text);
		return 1;
	}
	uc_trace(UC_TRACE_START, 0, 0, 0);
	request(1, 0);
	answer(1, 0);
	request(2, 1);
	hand_over();
	answer(2, 0);
	request(3, 0);
	uc_trace_close();
	return 0;
}
