/* SPDX-License-Identifier: MIT */
#include "vmm/dev/net_packet.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put_be16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

/* *next: the protocol; returns the offset behind the IP header, or 0. */
static uint32_t skip_ipv4(const uint8_t *packet, uint32_t len, uint8_t *next)
{
	const uint8_t *ip = packet + UC_NET_ETH_HEADER;
	uint32_t header;

	if (len < UC_NET_ETH_HEADER + sizeof(struct iphdr) || ip[0] >> 4 != 4)
		return 0;
	header = (ip[0] & 15u) * 4;
	if (header < sizeof(struct iphdr) || (be16(ip + 6) & (IP_MF | IP_OFFMASK)))
		return 0;
	*next = ip[9];
	return UC_NET_ETH_HEADER + header;
}

/* Over the extension headers that may stand before TCP; each is 8 bytes or more, so `at` grows. */
static uint32_t skip_ipv6(const uint8_t *packet, uint32_t len, uint8_t *next)
{
	uint32_t at = UC_NET_ETH_HEADER + sizeof(struct ip6_hdr);

	if (len < at || packet[UC_NET_ETH_HEADER] >> 4 != 6)
		return 0;
	*next = packet[UC_NET_ETH_HEADER + 6];
	while (*next == IPPROTO_HOPOPTS || *next == IPPROTO_ROUTING || *next == IPPROTO_DSTOPTS) {
		if (len - at < 8)
			return 0;
		*next = packet[at];
		at += (packet[at + 1] + 1u) * 8;
		if (at > len)
			return 0;
	}
	return at;
}

int uc_net_find_l4(const uint8_t *packet, uint32_t len, struct uc_net_l4 *l4)
{
	uint8_t protocol = 0;
	uint32_t at = 0, header;

	if (len < UC_NET_ETH_HEADER)
		return -EINVAL;
	l4->is_ipv6 = be16(packet + 12) == ETHERTYPE_IPV6;
	if (l4->is_ipv6)
		at = skip_ipv6(packet, len, &protocol);
	else if (be16(packet + 12) == ETHERTYPE_IP)
		at = skip_ipv4(packet, len, &protocol);
	if (!at || (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP))
		return -EINVAL;
	l4->is_tcp = protocol == IPPROTO_TCP;
	header = l4->is_tcp ? sizeof(struct tcphdr) : sizeof(struct udphdr);
	if (at > len || len - at < header)
		return -EINVAL;
	if (l4->is_tcp)
		header = (packet[at + 12] >> 4) * 4u;
	if (header < sizeof(struct udphdr) || len - at < header ||
	    (l4->is_tcp && header < sizeof(struct tcphdr)))
		return -EINVAL;
	l4->start = at;
	l4->end = at + header;
	l4->csum_at = at + (l4->is_tcp ? 16u : 6u);
	return 0;
}

/* RFC 1071: a sum of big-endian words, not folded; the last odd byte is a word's high half. */
static uint64_t sum(const uint8_t *p, uint32_t len)
{
	uint64_t total = 0;

	for (; len >= 2; p += 2, len -= 2)
		total += be16(p);
	return len ? total + (uint64_t)(p[0] << 8) : total;
}

static uint16_t fold(uint64_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)total;
}

void uc_net_put_pseudo_sum(uint8_t *packet, uint32_t len, const struct uc_net_l4 *l4)
{
	const uint8_t *ip = packet + UC_NET_ETH_HEADER;
	uint64_t total = l4->is_ipv6 ? sum(ip + 8, 32) : sum(ip + 12, 8);

	total += l4->is_tcp ? IPPROTO_TCP : IPPROTO_UDP;
	total += len - l4->start;
	put_be16(packet + l4->csum_at, fold(total));
}

int uc_net_finish_checksum(uint8_t *packet, uint32_t len, uint32_t start, uint32_t offset)
{
	uint16_t value;

	if (start > len || len - start < 2 || offset > len - start - 2)
		return -EINVAL;
	value = (uint16_t)~fold(sum(packet + start, len - start));
	/* 0 means "no checksum" in UDP; 0xffff is the same number. */
	put_be16(packet + start + offset, value ? value : 0xffff);
	return 0;
}
