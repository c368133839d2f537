/* SPDX-License-Identifier: MIT */
/*
 * What the network back end must know about a packet: where its TCP or UDP header is, and how to
 * finish a checksum that was left to "hardware". Works on the back end's own copy; every offset is
 * checked against the length given. No state, any thread.
 */
#ifndef UPCALL_VMM_DEV_NET_PACKET_H
#define UPCALL_VMM_DEV_NET_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#define UC_NET_ETH_HEADER 14u

struct uc_net_l4 {
	uint32_t start;	  /* of the TCP or UDP header */
	uint32_t csum_at; /* of its checksum field, from the packet's start */
	uint32_t end;	  /* of that header */
	bool is_tcp;
	bool is_ipv6;
};

/* -EINVAL unless the Ethernet frame holds an unfragmented TCP or UDP packet with a whole header. */
int uc_net_find_l4(const uint8_t *packet, uint32_t len, struct uc_net_l4 *l4);

/* Put the pseudo-header's sum into the checksum field, as a stack does that leaves the rest. */
void uc_net_put_pseudo_sum(uint8_t *packet, uint32_t len, const struct uc_net_l4 *l4);

/*
 * Finish a checksum: the field at `start + offset` holds the pseudo-header's sum, [start, len) is
 * added. -EINVAL when the field is not within the packet.
 */
int uc_net_finish_checksum(uint8_t *packet, uint32_t len, uint32_t start, uint32_t offset);

#endif
