/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/routing.h"

/* ---- host ---- */

static void *map_frame(void *ctx, struct uc_domain *d, uint64_t gfn)
{
	struct net_guest *g = ctx;

	(void)d;
	return uc_mem_at(&g->mem, gfn * UC_PAGE_SIZE, UC_PAGE_SIZE);
}

static void unmap_frame(void *ctx, struct uc_domain *d, void *frame)
{
	(void)ctx, (void)d, (void)frame;
}

static void kick(void *ctx, struct uc_vcpu *v)
{
	struct net_guest *g = ctx;
	uint64_t one = 1;

	(void)v;
	g->is_calm = uc_routing_is_calm();
	assert_int_equal(write(g->kick_fd, &one, sizeof(one)), sizeof(one));
}

static const struct uc_host_ops host_ops = {
	.map_frame = map_frame, .unmap_frame = unmap_frame, .kick = kick, .wake = kick};

static void start_domain(struct net_guest *g)
{
	struct uc_domain_config config = {.host = &g->host,
					  .id = 1,
					  .vcpus = &g->vcpu,
					  .nr_vcpus = 1,
					  .ports = g->ports,
					  .nr_ports = PORTS};

	g->host = (struct uc_host){
		.ops = &host_ops, .ctx = g, .domains = g->domains, .nr_domains = 2};
	assert_int_equal(uc_domain_init(&g->domain, &config), 0);
	assert_int_equal(uc_domain_set_shared_info(&g->domain, 1), 0);
	assert_int_equal(uc_alloc_unbound(&g->domain, 0, &g->config.tx_port), 0);
	assert_int_equal(uc_alloc_unbound(&g->domain, 0, &g->config.rx_port), 0);
}

struct net_guest *guest_new(void)
{
	struct net_guest *g = calloc(1, sizeof(*g));
	struct uc_diag diag;
	int pair[2];

	assert_non_null(g);
	assert_int_equal(uc_mem_init(&g->mem, UC_MEM_MIN, &diag), 0);
	g->grants = calloc(GRANTS, sizeof(*g->grants));
	g->table = (struct uc_gnttab){.entries = g->grants, .nr_entries = GRANTS, .mem = &g->mem};
	g->kick_fd = eventfd(0, EFD_NONBLOCK);
	start_domain(g);
	grant(g, TX_REF, TX_FRAME, GTF_permit_access);
	grant(g, RX_REF, RX_FRAME, GTF_permit_access);
	for (uint32_t i = 0; i < BUFS; i++)
		grant(g, BUF_REF + i, BUF_FRAME + i, GTF_permit_access);
	g->tx = uc_mem_at(&g->mem, TX_FRAME * UC_PAGE_SIZE, UC_PAGE_SIZE);
	g->rx = uc_mem_at(&g->mem, RX_FRAME * UC_PAGE_SIZE, UC_PAGE_SIZE);
	g->tx->req_event = g->tx->rsp_event = g->rx->req_event = g->rx->rsp_event = 1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	g->wire = pair[1];
	g->config.grants = &g->table;
	g->config.domain = &g->domain;
	g->config.tap_fd = pair[0];
	g->config.tx_ref = TX_REF;
	g->config.rx_ref = RX_REF;
	g->config.features = (struct uc_net_features){true, true, true, true, true};
	return g;
}

void open_queue(struct net_guest *g)
{
	assert_int_equal(uc_net_queue_open(&g->queue, &g->config), 0);
}

void guest_free(struct net_guest *g)
{
	if (g->queue.kick_fd > 0)
		uc_net_queue_close(&g->queue);
	uc_domain_destroy(&g->domain);
	close(g->config.tap_fd);
	close(g->wire);
	close(g->kick_fd);
	free(g->grants);
	uc_mem_destroy(&g->mem);
	free(g);
}

int guest_setup(void **state)
{
	struct net_guest *g = guest_new();

	open_queue(g);
	*state = g;
	return 0;
}

int guest_teardown(void **state)
{
	guest_free(*state);
	return 0;
}

uint8_t *buffer(struct net_guest *g, uint32_t n)
{
	return uc_mem_at(&g->mem, (uint64_t)(BUF_FRAME + n) * UC_PAGE_SIZE, UC_PAGE_SIZE);
}

void grant(struct net_guest *g, uint32_t ref, uint32_t frame, uint16_t flags)
{
	g->grants[ref].frame = frame;
	g->grants[ref].domid = 0;
	__atomic_store_n(&g->grants[ref].flags, flags, __ATOMIC_RELEASE);
}

uint16_t grant_flags(const struct net_guest *g, uint32_t ref)
{
	return __atomic_load_n(&g->grants[ref].flags, __ATOMIC_ACQUIRE);
}

/* ---- the front end's half ---- */

void tx_slot(struct net_guest *g, netif_tx_request_t request)
{
	g->tx->ring[g->tx_prod++ % RING_SLOTS].req = request;
}

void tx_extra(struct net_guest *g, struct netif_extra_info extra)
{
	memcpy(&g->tx->ring[g->tx_prod++ % RING_SLOTS], &extra, sizeof(extra));
}

void tx_show(struct net_guest *g)
{
	__atomic_store_n(&g->tx->req_prod, g->tx_prod, __ATOMIC_RELEASE);
	g->queue.kicked = true;
}

void tx_packet(struct net_guest *g, uint32_t n, uint16_t len, uint16_t flags)
{
	tx_slot(g, (netif_tx_request_t){
			   .gref = BUF_REF + n, .size = len, .flags = flags, .id = (uint16_t)n});
	tx_show(g);
}

bool tx_has_response(const struct net_guest *g)
{
	return __atomic_load_n(&g->tx->rsp_prod, __ATOMIC_ACQUIRE) != g->tx_cons;
}

netif_tx_response_t tx_response(struct net_guest *g)
{
	assert_true(tx_has_response(g));
	return g->tx->ring[g->tx_cons++ % RING_SLOTS].rsp;
}

void rx_give(struct net_guest *g, uint32_t first, uint32_t n)
{
	for (uint32_t i = first; i < first + n; i++) {
		netif_rx_request_t *request = &g->rx->ring[g->rx_prod++ % RING_SLOTS].req;

		*request = (netif_rx_request_t){.id = (uint16_t)i, .gref = BUF_REF + i};
	}
	__atomic_store_n(&g->rx->req_prod, g->rx_prod, __ATOMIC_RELEASE);
	g->queue.kicked = true;
}

bool rx_has_response(const struct net_guest *g)
{
	return __atomic_load_n(&g->rx->rsp_prod, __ATOMIC_ACQUIRE) != g->rx_cons;
}

netif_rx_response_t rx_response(struct net_guest *g)
{
	assert_true(rx_has_response(g));
	return g->rx->ring[g->rx_cons++ % RING_SLOTS].rsp;
}

struct netif_extra_info rx_extra(struct net_guest *g)
{
	struct netif_extra_info extra;

	assert_true(rx_has_response(g));
	memcpy(&extra, &g->rx->ring[g->rx_cons++ % RING_SLOTS], sizeof(extra));
	return extra;
}

/* ---- the wire ---- */

ssize_t wire_get(struct net_guest *g, struct virtio_net_hdr *header, uint8_t *packet)
{
	struct iovec iov[] = {{header, sizeof(*header)}, {packet, UC_NET_PACKET_MAX}};
	ssize_t n = readv(g->wire, iov, 2);

	return n < 0 ? -1 : n - (ssize_t)sizeof(*header);
}

void wire_put(struct net_guest *g, const struct virtio_net_hdr *header, const uint8_t *packet,
	      uint32_t len)
{
	struct iovec iov[] = {{(void *)header, sizeof(*header)}, {(void *)packet, len}};

	assert_int_equal(writev(g->wire, iov, 2), sizeof(*header) + len);
	g->queue.tap_ready = true;
}

void run(struct net_guest *g)
{
	for (int i = 0; i < 1000; i++)
		if (!uc_net_queue_run(&g->queue))
			return;
	fail_msg("the back end never comes to an end");
}

bool raised(struct net_guest *g, uint32_t port)
{
	uint64_t *pending = uc_mem_at(&g->mem, UC_PAGE_SIZE, UC_PAGE_SIZE);
	uint64_t bit = 1ull << port % 64;

	pending = ((struct shared_info *)pending)->evtchn_pending;
	return __atomic_fetch_and(&pending[port / 64], ~bit, __ATOMIC_SEQ_CST) & bit;
}

/* ---- packets ---- */

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put_be16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

/* The whole sum: pseudo-header, then everything from the TCP or UDP header on. */
static uint32_t sum_of(const uint8_t *packet, uint32_t len, uint32_t start, bool ipv6, bool tcp)
{
	uint32_t sum = (tcp ? 6 : 17) + (len - start);

	for (uint32_t i = ipv6 ? 22 : 26; i < (ipv6 ? 54u : 34u); i += 2)
		sum += be16(packet + i);
	for (uint32_t i = start; i < len; i++)
		sum += (i - start) % 2 ? packet[i] : (uint32_t)packet[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

uint32_t make_packet(uint8_t *packet, bool ipv6, bool tcp, uint32_t payload)
{
	uint32_t start = ipv6 ? 54 : 34, header = tcp ? 20 : 8, len = start + header + payload;
	uint32_t csum_at = start + (tcp ? 16 : 6), pseudo;

	for (uint32_t i = 0; i < len; i++)
		packet[i] = (uint8_t)(i * 31 + len);
	put_be16(packet + 12, ipv6 ? 0x86dd : 0x0800);
	packet[14] = ipv6 ? 0x60 : 0x45;
	if (ipv6) {
		packet[20] = tcp ? 6 : 17;
		put_be16(packet + 18, header + payload);
	} else {
		packet[23] = tcp ? 6 : 17;
		put_be16(packet + 20, 0);
	}
	if (tcp)
		packet[start + 12] = 5 << 4;
	/* The pseudo-header alone: as if nothing followed. */
	pseudo = sum_of(packet, start, start, ipv6, tcp) + header + payload;
	put_be16(packet + csum_at, (pseudo & 0xffff) + (pseudo >> 16));
	return len;
}

bool checksum_is_right(const uint8_t *packet, uint32_t len)
{
	bool ipv6 = be16(packet + 12) == 0x86dd, tcp = packet[ipv6 ? 20 : 23] == 6;

	return sum_of(packet, len, ipv6 ? 54 : 34, ipv6, tcp) == 0xffff;
}
