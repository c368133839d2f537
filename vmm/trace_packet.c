/* SPDX-License-Identifier: MIT */
#include "vmm/trace_packet.h"

#include <netinet/in.h>

#include <net/ethernet.h>

#include "vmm/dev/net_packet.h"

enum { ICMP_REPLY = 0, ICMP_REQUEST = 8, ICMP6_REQUEST = 128, ICMP6_REPLY = 129 };

/* What the tag is made of. */
struct identity {
	uint32_t addresses; /* both, folded: the same for both directions */
	uint32_t ports;	    /* or ICMP's id and sequence */
	uint8_t payload[8];
	uint8_t protocol;
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t fold(const uint8_t *p, uint32_t bytes)
{
	uint32_t x = 0;

	for (uint32_t i = 0; i < bytes; i++)
		x ^= (uint32_t)p[i] << 8 * (i % 4);
	return x;
}

/* FNV-1a, and MurmurHash3's end: tags that differ in one bit are far apart. 0 stands for none. */
static uint32_t hash(const struct identity *id)
{
	uint32_t words[] = {id->addresses, id->ports, fold(id->payload, 4),
			    fold(id->payload + 4, 4), id->protocol};
	uint32_t h = 0x811c9dc5u;

	for (uint32_t i = 0; i < sizeof(words); i++)
		h = (h ^ (words[i / 4] >> 8 * (i % 4) & 0xff)) * 0x01000193u;
	h ^= h >> 16;
	h *= 0x85ebca6bu;
	h ^= h >> 13;
	return h ? h : 1;
}

/* Where the header behind IP is, or 0; fragments and IPv6 extension headers: 0. */
static uint32_t find_ip(const uint8_t *packet, uint32_t len, struct identity *id)
{
	const uint8_t *ip = packet + UC_NET_ETH_HEADER;

	if (len >= UC_NET_ETH_HEADER + 40 && be16(packet + 12) == ETHERTYPE_IPV6) {
		id->protocol = ip[6];
		id->addresses = fold(ip + 8, 32);
		return UC_NET_ETH_HEADER + 40;
	}
	if (len < UC_NET_ETH_HEADER + 20 || be16(packet + 12) != ETHERTYPE_IP || (ip[0] & 15) < 5 ||
	    (be16(ip + 6) & 0x3fff))
		return 0;
	id->protocol = ip[9];
	id->addresses = fold(ip + 12, 8);
	return UC_NET_ETH_HEADER + (ip[0] & 15u) * 4;
}

static bool is_echo(uint8_t protocol, uint8_t type, bool to_guest)
{
	if (protocol == IPPROTO_ICMP)
		return type == (to_guest ? ICMP_REQUEST : ICMP_REPLY);
	return protocol == IPPROTO_ICMPV6 && type == (to_guest ? ICMP6_REQUEST : ICMP6_REPLY);
}

uint32_t uc_trace_tag(const uint8_t *packet, uint32_t len, bool to_guest)
{
	struct identity id = {0};
	uint32_t at = find_ip(packet, len, &id), a, b;
	const uint8_t *l4 = packet + at;

	if (!at || at + 8 > len)
		return 0;
	if (id.protocol == IPPROTO_UDP) {
		a = be16(l4);
		b = be16(l4 + 2);
		id.ports = a < b ? a << 16 | b : b << 16 | a;
		for (uint32_t i = 0; i < 8 && at + 8 + i < len; i++)
			id.payload[i] = l4[8 + i];
		return hash(&id);
	}
	if (!is_echo(id.protocol, l4[0], to_guest))
		return 0;
	id.ports = (uint32_t)be16(l4 + 4) << 16 | be16(l4 + 6);
	return hash(&id);
}
