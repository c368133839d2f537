/* SPDX-License-Identifier: MIT */
/*
 * One queue of a guest's network card: two rings (guest sends: net_tx.c; guest receives: net_rx.c),
 * one or two event channels, one descriptor of the tap.
 *
 * The control thread opens and closes a queue; in between it belongs to one worker thread. Rings,
 * slots and grants are as the guest likes: what breaks the protocol breaks this queue, a bad grant
 * or size loses that one packet.
 */
#ifndef UPCALL_VMM_DEV_NET_QUEUE_H
#define UPCALL_VMM_DEV_NET_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_net.h>

#include <upcall/evtchn.h>

#include "vmm/dev/net_packet.h"
#include "vmm/xen/gnttab.h"
#include "vmm/xen/ring.h"

#define UC_NET_PACKET_MAX (65535u + UC_NET_ETH_HEADER)
/* Packets in one direction before the other, and other queues, get their turn. */
#define UC_NET_BUDGET 64

/* What the front end takes. */
struct uc_net_features {
	bool sg;
	bool csum_ipv4, csum_ipv6; /* packets whose TCP or UDP checksum is blank */
	bool tso_ipv4, tso_ipv6;
};

/* Counted by the worker, read by anyone. */
struct uc_net_stats {
	uint64_t tx_packets, tx_bytes;
	uint64_t tx_errors;  /* answered with an error: malformed, or a bad grant */
	uint64_t tx_dropped; /* the tap did not take it */
	uint64_t rx_packets, rx_bytes;
	uint64_t rx_errors;  /* a bad grant */
	uint64_t rx_dropped; /* nothing the front end could take */
	uint64_t rx_waits;   /* times there were too few buffers */
	uint64_t tx_raised, rx_raised;
};

#define uc_net_count(counter, n) ((void)__atomic_fetch_add(&(counter), (n), __ATOMIC_RELAXED))

/* An event channel; a kick wakes the worker through the queue's eventfd. */
struct uc_net_event {
	struct uc_endpoint endpoint; /* first: notify() gets it */
	int kick_fd;
};

struct uc_net_queue_config {
	const struct uc_gnttab *grants;
	struct uc_domain *domain;
	int tap_fd;
	struct uc_net_features features;
	uint32_t tx_ref, rx_ref;
	uint32_t tx_port, rx_port; /* equal: one channel for both */
};

struct uc_net_queue {
	struct uc_net_queue_config config;
	struct uc_ring tx, rx;
	struct uc_net_event events[2]; /* [0] tx, or both; [1] rx */
	struct uc_net_event *tx_event, *rx_event;
	int kick_fd;
	bool tx_mapped, rx_mapped;

	bool broken;	/* the guest broke the protocol; nothing is done any more */
	bool kicked;	/* the guest told something since the last run */
	bool tap_ready; /* the tap may have a packet */

	/* The packet read from the tap that waits for the guest's buffers; len 0: none. */
	struct virtio_net_hdr rx_header;
	uint32_t rx_len;
	uint8_t rx_packet[UC_NET_PACKET_MAX];
	uint8_t tx_packet[UC_NET_PACKET_MAX];

	struct uc_net_stats stats;
};

/* Control thread. `q` is zero. -errno; then there is nothing to close. */
int uc_net_queue_open(struct uc_net_queue *q, const struct uc_net_queue_config *config);
/* No worker runs it any more. */
void uc_net_queue_close(struct uc_net_queue *q);

/*
 * One turn: what came from the tap goes to the guest first, then what the guest sends. Returns
 * whether there is more to do now; otherwise a kick or the tap comes first. The worker's.
 */
bool uc_net_queue_run(struct uc_net_queue *q);

/* ---- the two directions; for net_queue.c and tests. Both: at most UC_NET_BUDGET packets. ---- */

/* Whether there may be more. -EPROTO: the guest broke the protocol. */
int uc_net_tx_run(struct uc_net_queue *q);
int uc_net_rx_run(struct uc_net_queue *q);

#endif
