/* SPDX-License-Identifier: MIT */
/*
 * Which packets of a trace belong together: a request that the guest gets and the answer that it
 * sends have the same tag. No state, any thread.
 */
#ifndef UPCALL_VMM_TRACE_PACKET_H
#define UPCALL_VMM_TRACE_PACKET_H

#include "vmm/trace.h"

/*
 * Of an Ethernet frame: ICMP and ICMPv6 echo by addresses, id and sequence (requests to the guest,
 * replies from it); UDP by addresses, ports and its first 8 bytes of payload. A hash: two packets
 * are confused once in 2^32. 0 for any other packet, and for fragments.
 */
uint32_t uc_trace_tag(const uint8_t *packet, uint32_t len, bool to_guest);

struct uc_trace_queue {
	uint32_t rx_port, tx_port;
};

/* arg of a packet's record: its length and the queue's other port. */
static inline uint64_t uc_trace_packet_arg(uint32_t len, uint32_t tx_port)
{
	return (uint64_t)tx_port << 32 | len;
}

static inline uint32_t uc_trace_tx_port(uint64_t arg)
{
	return (uint32_t)(arg >> 32);
}

static inline uint32_t uc_trace_packet_len(uint64_t arg)
{
	return (uint32_t)arg;
}

#endif
