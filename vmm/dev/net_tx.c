/* SPDX-License-Identifier: MIT */
/*
 * The guest sends. A packet is a chain of slots: the first request, which holds the size of the
 * whole, at most one extra info (GSO), then a request per further piece. The chain is copied out
 * slot by slot, checked, its pieces copied from the granted pages into one buffer, which goes to
 * the tap as one write; every slot is answered in its order.
 *
 * As Linux' netback, with which front ends are tested: a chain that does not end, is longer than
 * any front end makes, or leaves a page breaks the queue; a wrong size or grant loses the packet.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <xen/xen.h>

#include <xen/io/netif.h>

#include "vmm/dev/net_queue.h"
#include "vmm/dev/net_trace.h"
#include "vmm/routing.h"

/* Between XEN_NETIF_NR_SLOTS_MIN and this many the packet is lost; old guests did that. */
#define SLOTS_FATAL 20u

struct chain {
	netif_tx_request_t piece[SLOTS_FATAL];
	uint32_t pieces;
	uint32_t slots; /* with the extra info */
	bool has_extra;
	struct netif_extra_info gso;
	uint32_t len; /* of the packet */
};

/* The slot after the first, when the first says so. -EPROTO. */
static int collect_extra(const struct uc_ring *ring, struct chain *c, uint32_t there)
{
	uint32_t slot[3];

	if (c->slots >= there)
		return -EPROTO;
	uc_ring_peek(ring, c->slots++, slot);
	memcpy(&c->gso, slot, sizeof(c->gso));
	c->has_extra = true;
	/* No other kind was offered, so no second one can follow. */
	if (c->gso.type != XEN_NETIF_EXTRA_TYPE_GSO || (c->gso.flags & XEN_NETIF_EXTRA_FLAG_MORE))
		return -EPROTO;
	if (!c->gso.u.gso.size || (c->gso.u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4 &&
				   c->gso.u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6))
		return -EPROTO;
	return 0;
}

/* Copy the chain out; -EPROTO when it is none. `there`: 1 or more slots. */
static int collect(const struct uc_ring *ring, struct chain *c, uint32_t there)
{
	int rc = 0;

	*c = (struct chain){.pieces = 1, .slots = 1};
	uc_ring_peek(ring, 0, &c->piece[0]);
	c->len = c->piece[0].size;
	if (c->piece[0].flags & NETTXF_extra_info)
		rc = collect_extra(ring, c, there);
	while (!rc && (c->piece[c->pieces - 1].flags & NETTXF_more_data)) {
		if (c->slots >= there || c->pieces == SLOTS_FATAL)
			return -EPROTO;
		uc_ring_peek(ring, c->slots++, &c->piece[c->pieces++]);
	}
	return rc;
}

/*
 * The first request's size becomes that of its own piece. -EINVAL loses the packet, -EPROTO breaks
 * the queue.
 */
static int check_sizes(struct chain *c)
{
	uint32_t others = 0;

	for (uint32_t i = 1; i < c->pieces; i++)
		others += c->piece[i].size;
	if (others > c->len || c->len < UC_NET_ETH_HEADER || c->pieces > XEN_NETIF_NR_SLOTS_MIN)
		return -EINVAL;
	c->piece[0].size = (uint16_t)(c->len - others);
	for (uint32_t i = 0; i < c->pieces; i++)
		if (c->piece[i].offset + c->piece[i].size > UC_PAGE_SIZE)
			return -EPROTO;
	return 0;
}

static int copy(struct uc_net_queue *q, const struct chain *c)
{
	uint8_t *to = q->tx_packet;
	int rc = 0;

	for (uint32_t i = 0; i < c->pieces && !rc; i++) {
		const netif_tx_request_t *piece = &c->piece[i];

		rc = uc_gnttab_read(q->config.grants, piece->gref, piece->offset, to, piece->size);
		to += piece->size;
	}
	return rc;
}

static int fill_gso(const struct uc_net_queue *q, const struct chain *c, const struct uc_net_l4 *l4,
		    struct virtio_net_hdr *header)
{
	bool ipv6 = c->gso.u.gso.type == XEN_NETIF_GSO_TYPE_TCPV6;

	if (!l4->is_tcp || l4->is_ipv6 != ipv6 || l4->end > c->len)
		return -EINVAL;
	(void)q;
	header->gso_type = ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
	header->gso_size = c->gso.u.gso.size;
	header->hdr_len = (uint16_t)l4->end;
	return 0;
}

/* What the tap must know about checksum and segmentation. */
static int fill_header(struct uc_net_queue *q, const struct chain *c, struct virtio_net_hdr *header)
{
	bool blank = c->piece[0].flags & NETTXF_csum_blank;
	struct uc_net_l4 l4;

	*header = (struct virtio_net_hdr){.gso_type = VIRTIO_NET_HDR_GSO_NONE};
	if (!blank && !c->has_extra) {
		if (c->piece[0].flags & NETTXF_data_validated)
			header->flags = VIRTIO_NET_HDR_F_DATA_VALID;
		return 0;
	}
	if (uc_net_find_l4(q->tx_packet, c->len, &l4))
		return -EINVAL;
	header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	header->csum_start = (uint16_t)l4.start;
	header->csum_offset = (uint16_t)(l4.csum_at - l4.start);
	/* Segments get checksums of their own in any case; some front ends forget to say so. */
	if (!blank)
		uc_net_put_pseudo_sum(q->tx_packet, c->len, &l4);
	return c->has_extra ? fill_gso(q, c, &l4, header) : 0;
}

static void transmit(struct uc_net_queue *q, const struct chain *c, struct virtio_net_hdr *header)
{
	struct iovec iov[] = {{header, sizeof(*header)}, {q->tx_packet, c->len}};

	uc_net_trace_tx(q, UC_TRACE_TX_TAKEN, c->len);
	if (writev(q->config.tap_fd, iov, 2) < 0) {
		uc_net_count(q->stats.tx_dropped, 1);
		return;
	}
	uc_net_trace_tx(q, UC_TRACE_TAP_WRITE, c->len);
	uc_net_count(q->stats.tx_packets, 1);
	uc_net_count(q->stats.tx_bytes, c->len);
}

static void respond(struct uc_net_queue *q, const struct chain *c, int16_t status)
{
	for (uint32_t i = 0; i < c->pieces; i++) {
		netif_tx_response_t response = {.id = c->piece[i].id, .status = status};
		netif_tx_response_t none = {.status = NETIF_RSP_NULL};

		uc_ring_respond(&q->tx, &response, sizeof(response));
		if (i == 0 && c->has_extra)
			uc_ring_respond(&q->tx, &none, sizeof(none));
	}
}

/* One packet, of `there` slots that are to be read. */
static int send_one(struct uc_net_queue *q, uint32_t there)
{
	struct virtio_net_hdr header;
	struct chain c;
	int rc = collect(&q->tx, &c, there);

	if (!rc)
		rc = check_sizes(&c);
	if (rc == -EPROTO)
		return rc;
	if (!rc)
		rc = copy(q, &c);
	if (!rc)
		rc = fill_header(q, &c, &header);
	if (!rc)
		transmit(q, &c, &header);
	else
		uc_net_count(q->stats.tx_errors, 1);
	uc_ring_take(&q->tx, c.slots);
	respond(q, &c, rc ? NETIF_RSP_ERROR : NETIF_RSP_OKAY);
	if (uc_ring_push(&q->tx)) {
		uc_net_count(q->stats.tx_raised, 1);
		uc_routing_set_calm(true);
		uc_net_raise(q->tx_event, 0);
		uc_routing_set_calm(false);
	}
	return 0;
}

int uc_net_tx_run(struct uc_net_queue *q)
{
	for (int i = 0; i < UC_NET_BUDGET; i++) {
		int there = uc_ring_wait_for(&q->tx, 1);
		int rc = there > 0 ? send_one(q, (uint32_t)there) : there;

		if (there <= 0 || rc)
			return rc;
	}
	return 1;
}
