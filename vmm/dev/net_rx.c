/* SPDX-License-Identifier: MIT */
/*
 * The guest receives. A packet is read from the tap into one buffer, where it waits until the guest
 * has given enough slots: nothing is dropped here for want of buffers, the tap's own queue fills up
 * instead. Each response lies in the slot of its own request, as front ends expect: first data, GSO
 * info if any, more data.
 *
 * Each packet is shown to the guest, and its event raised, before the next is read.
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

static uint32_t data_slots(const struct uc_net_queue *q)
{
	return (q->rx_len + UC_PAGE_SIZE - 1) / UC_PAGE_SIZE;
}

static bool is_gso(const struct uc_net_queue *q)
{
	return q->rx_header.gso_type != VIRTIO_NET_HDR_GSO_NONE;
}

/*
 * Can the front end finish this checksum? It finds the place by itself, so it must be that of a TCP
 * or UDP packet.
 */
static bool may_leave_blank(const struct uc_net_queue *q)
{
	struct uc_net_l4 l4;

	if (uc_net_find_l4(q->rx_packet, q->rx_len, &l4) || l4.start != q->rx_header.csum_start ||
	    l4.csum_at != l4.start + q->rx_header.csum_offset)
		return false;
	return l4.is_ipv6 ? q->config.features.csum_ipv6 : q->config.features.csum_ipv4;
}

static bool takes_gso(const struct uc_net_queue *q)
{
	if (!(q->rx_header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || !q->rx_header.gso_size)
		return false;
	switch (q->rx_header.gso_type) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return q->config.features.tso_ipv4;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return q->config.features.tso_ipv6;
	default:
		return false;
	}
}

/* Make of the packet what the front end takes; false: nothing. */
static bool adapt(struct uc_net_queue *q)
{
	bool blank = q->rx_header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;

	if (data_slots(q) > (q->config.features.sg ? XEN_NETIF_NR_SLOTS_MIN : 1u))
		return false;
	if (is_gso(q))
		return takes_gso(q) && may_leave_blank(q);
	if (!blank || may_leave_blank(q))
		return true;
	q->rx_header.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	return !uc_net_finish_checksum(q->rx_packet, q->rx_len, q->rx_header.csum_start,
				       q->rx_header.csum_offset);
}

/* The next packet into q->rx_packet. False: the tap has none. */
static bool fetch(struct uc_net_queue *q)
{
	struct iovec iov[] = {{&q->rx_header, sizeof(q->rx_header)},
			      {q->rx_packet, sizeof(q->rx_packet)}};

	for (int i = 0; q->tap_ready && i < UC_NET_BUDGET; i++) {
		ssize_t n = readv(q->config.tap_fd, iov, 2);

		/* An error other than EAGAIN (EIO: the tap is down) ends with an edge too. */
		if (n < 0 && errno != EINTR)
			q->tap_ready = false;
		if (n < (ssize_t)sizeof(q->rx_header))
			continue;
		q->rx_len = (uint32_t)(n - (ssize_t)sizeof(q->rx_header));
		if (q->rx_len >= UC_NET_ETH_HEADER && adapt(q)) {
			uc_net_trace_rx(q, UC_TRACE_TAP_READ);
			return true;
		}
		q->rx_len = 0;
		uc_net_count(q->stats.rx_dropped, 1);
	}
	return false;
}

static uint16_t first_flags(const struct uc_net_queue *q)
{
	uint16_t flags = is_gso(q) ? NETRXF_extra_info : 0;

	if (q->rx_header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		return flags | NETRXF_csum_blank | NETRXF_data_validated;
	if (q->rx_header.flags & VIRTIO_NET_HDR_F_DATA_VALID)
		return flags | NETRXF_data_validated;
	return flags;
}

/* The slot's own request is taken too, and its buffer goes back to the guest unused. */
static void respond_gso(struct uc_net_queue *q)
{
	struct netif_extra_info gso = {
		.type = XEN_NETIF_EXTRA_TYPE_GSO,
		.u.gso = {.size = q->rx_header.gso_size,
			  .type = q->rx_header.gso_type == VIRTIO_NET_HDR_GSO_TCPV6
					  ? XEN_NETIF_GSO_TYPE_TCPV6
					  : XEN_NETIF_GSO_TYPE_TCPV4}};

	uc_ring_take(&q->rx, 1);
	uc_ring_respond(&q->rx, &gso, sizeof(gso));
}

/* One piece into the next slot. False: the guest's buffer cannot be written. */
static bool put_piece(struct uc_net_queue *q, uint32_t at, uint16_t flags)
{
	uint32_t len = q->rx_len - at < UC_PAGE_SIZE ? q->rx_len - at : UC_PAGE_SIZE;
	netif_rx_request_t request;
	netif_rx_response_t response;
	int rc;

	uc_ring_peek(&q->rx, 0, &request);
	uc_ring_take(&q->rx, 1);
	rc = uc_gnttab_write(q->config.grants, request.gref, 0, q->rx_packet + at, len);
	if (at + len < q->rx_len)
		flags |= NETRXF_more_data;
	response = (netif_rx_response_t){
		.id = request.id, .flags = flags, .status = rc ? NETIF_RSP_ERROR : (int16_t)len};
	uc_ring_respond(&q->rx, &response, sizeof(response));
	return !rc;
}

/* q->rx_packet to the guest, which has the slots for it. */
static void deliver(struct uc_net_queue *q)
{
	bool whole = put_piece(q, 0, first_flags(q));

	if (is_gso(q))
		respond_gso(q);
	for (uint32_t at = UC_PAGE_SIZE; at < q->rx_len; at += UC_PAGE_SIZE)
		whole = put_piece(q, at, 0) && whole;
	uc_net_trace_rx(q, UC_TRACE_RX_FILLED);
	if (uc_ring_push(&q->rx)) {
		uc_net_raise_rx(q);
		uc_net_count(q->stats.rx_raised, 1);
	} else {
		uc_endpoint_more(&q->rx_event->endpoint);
	}
	uc_net_count(q->stats.rx_packets, whole);
	uc_net_count(q->stats.rx_bytes, whole ? q->rx_len : 0);
	uc_net_count(q->stats.rx_errors, !whole);
	q->rx_len = 0;
}

int uc_net_rx_run(struct uc_net_queue *q)
{
	for (int i = 0; i < UC_NET_BUDGET; i++) {
		uint32_t needed;
		int there;

		if (!q->rx_len && !fetch(q))
			return q->tap_ready;
		needed = data_slots(q) + is_gso(q);
		there = uc_ring_wait_for(&q->rx, needed);
		if (there < (int)needed) {
			uc_net_count(q->stats.rx_waits, there >= 0);
			return there < 0 ? there : 0;
		}
		deliver(q);
	}
	return 1;
}
