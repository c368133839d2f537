/* SPDX-License-Identifier: MIT */
/*
 * A guest in this process, as the network back end meets one: RAM, a grant table, event channels, a
 * front end's half of two rings. The tap is a socket pair that keeps packets apart. Nothing runs by
 * itself: run() is one turn of the back end.
 */
#ifndef UPCALL_TESTS_NET_FIXTURE_H
#define UPCALL_TESTS_NET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include <xen/xen.h>

#include <xen/grant_table.h>
#include <xen/io/netif.h>

#include "vmm/dev/net_queue.h"

#define PORTS	   64
#define GRANTS	   1024
#define TX_FRAME   2 /* of the rings, and their grants */
#define RX_FRAME   3
#define TX_REF	   8
#define RX_REF	   9
#define BUF_FRAME  16 /* buffers: frame BUF_FRAME + n is granted by ref BUF_REF + n */
#define BUF_REF	   100
#define BUFS	   600
#define ETH_MIN	   60
#define RING_SLOTS 256

struct net_guest {
	struct uc_mem mem;
	grant_entry_v1_t *grants;
	struct uc_gnttab table;

	struct uc_host host;
	struct uc_domain *domains[2];
	struct uc_domain domain;
	struct uc_vcpu vcpu;
	struct uc_port ports[PORTS];
	int kick_fd;  /* an eventfd: upcalls */
	bool is_calm; /* the last one was for something that nobody waits for */

	struct uc_net_queue queue;
	struct uc_net_queue_config config;
	int wire; /* the other end of the tap */

	struct netif_tx_sring *tx;
	struct netif_rx_sring *rx;
	uint32_t tx_prod, tx_cons, rx_prod, rx_cons;
};

/* Everything but the queue; then config may be changed before open_queue(). */
struct net_guest *guest_new(void);
void guest_free(struct net_guest *g);
void open_queue(struct net_guest *g);
/* Both, as cmocka's set-up and tear-down. */
int guest_setup(void **state);
int guest_teardown(void **state);

uint8_t *buffer(struct net_guest *g, uint32_t n);
void grant(struct net_guest *g, uint32_t ref, uint32_t frame, uint16_t flags);
uint16_t grant_flags(const struct net_guest *g, uint32_t ref);

/* Guest sends: one slot onto the ring (not shown yet), show them all. */
void tx_slot(struct net_guest *g, netif_tx_request_t request);
void tx_extra(struct net_guest *g, struct netif_extra_info extra);
void tx_show(struct net_guest *g);
/* A one-slot packet of `len` bytes from buffer n. */
void tx_packet(struct net_guest *g, uint32_t n, uint16_t len, uint16_t flags);
/* The next response, which must be there. */
netif_tx_response_t tx_response(struct net_guest *g);
bool tx_has_response(const struct net_guest *g);

/* Guest receives: buffers [first, first + n) onto the ring and shown. */
void rx_give(struct net_guest *g, uint32_t first, uint32_t n);
netif_rx_response_t rx_response(struct net_guest *g);
struct netif_extra_info rx_extra(struct net_guest *g);
bool rx_has_response(const struct net_guest *g);

/* The wire: what the tap got (its length, -1 for nothing), and what it brings. */
ssize_t wire_get(struct net_guest *g, struct virtio_net_hdr *header, uint8_t *packet);
void wire_put(struct net_guest *g, const struct virtio_net_hdr *header, const uint8_t *packet,
	      uint32_t len);

/* Until nothing is left to do. */
void run(struct net_guest *g);
/* Has the port been raised since the last time this was asked? */
bool raised(struct net_guest *g, uint32_t port);

/* A TCP or UDP packet with a pseudo-header sum in its checksum field; returns its length. */
uint32_t make_packet(uint8_t *packet, bool ipv6, bool tcp, uint32_t payload);
/* Is the checksum of a packet of make_packet() whole and right? */
bool checksum_is_right(const uint8_t *packet, uint32_t len);

#endif
