/* SPDX-License-Identifier: MIT */
/* The network card's hooks for `--trace`: net_rx.c and net_tx.c call them, on the worker. */
#ifndef UPCALL_VMM_DEV_NET_TRACE_H
#define UPCALL_VMM_DEV_NET_TRACE_H

#include "vmm/dev/net_queue.h"
#include "vmm/trace_packet.h"

static inline void uc_net_trace_rx(const struct uc_net_queue *q, enum uc_trace_kind kind)
{
	if (uc_trace_is_on())
		uc_trace_put(kind, 0, q->config.rx_port,
			     uc_trace_tag(q->rx_packet, q->rx_len, true),
			     uc_trace_packet_arg(q->rx_len, q->config.tx_port));
}

static inline void uc_net_trace_tx(const struct uc_net_queue *q, enum uc_trace_kind kind,
				   uint32_t len)
{
	if (uc_trace_is_on())
		uc_trace_put(kind, 0, q->config.rx_port, uc_trace_tag(q->tx_packet, len, false),
			     uc_trace_packet_arg(len, q->config.tx_port));
}

/* Raise, and say before and after what becomes of it. */
static inline void uc_net_raise(struct uc_net_event *event, uint32_t tag)
{
	if (uc_trace_is_on())
		uc_trace_put_raise(&event->endpoint, tag);
	uc_endpoint_raise(&event->endpoint);
	if (uc_trace_is_on())
		uc_trace_put_raised(&event->endpoint, tag);
}

/* For the packet in q->rx_packet. */
static inline void uc_net_raise_rx(const struct uc_net_queue *q)
{
	uc_net_raise(q->rx_event,
		     uc_trace_is_on() ? uc_trace_tag(q->rx_packet, q->rx_len, true) : 0);
}

#endif
