/* SPDX-License-Identifier: MIT */
#include "vmm/dev/net_queue.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <xen/xen.h>

#include <xen/io/netif.h>

/* More than a tap holds by default (its txqueuelen is 1000): drain() ends in any case. */
#define STALE_MAX 1024

/* Runs on the vCPU that sends the notification. */
static void on_notify(struct uc_endpoint *e)
{
	struct uc_net_event *event = (struct uc_net_event *)e;
	uint64_t one = 1;

	/* The worker waits for edges and never reads the count, which no guest can fill up. */
	(void)!write(event->kick_fd, &one, sizeof(one));
}

static int bind_event(struct uc_net_queue *q, struct uc_net_event *event, uint32_t port)
{
	event->kick_fd = q->kick_fd;
	event->endpoint.notify = on_notify;
	return uc_endpoint_bind(&event->endpoint, q->config.domain, port);
}

static int bind_events(struct uc_net_queue *q)
{
	int rc = bind_event(q, &q->events[0], q->config.tx_port);

	q->tx_event = q->rx_event = &q->events[0];
	if (rc || q->config.rx_port == q->config.tx_port)
		return rc;
	q->rx_event = &q->events[1];
	return bind_event(q, q->rx_event, q->config.rx_port);
}

static int map_rings(struct uc_net_queue *q)
{
	void *page = uc_gnttab_begin(q->config.grants, q->config.tx_ref, true);

	if (!page)
		return -EACCES;
	q->tx_mapped = true;
	uc_ring_init(&q->tx, page, sizeof(union netif_tx_sring_entry));
	page = uc_gnttab_begin(q->config.grants, q->config.rx_ref, true);
	if (!page)
		return -EACCES;
	q->rx_mapped = true;
	uc_ring_init(&q->rx, page, sizeof(union netif_rx_sring_entry));
	return 0;
}

/* What came while no guest was there would be answered late, and is better lost. */
static void drain(struct uc_net_queue *q)
{
	for (int i = 0; i < STALE_MAX; i++)
		if (read(q->config.tap_fd, q->rx_packet, sizeof(q->rx_packet)) < 0)
			return;
}

int uc_net_queue_open(struct uc_net_queue *q, const struct uc_net_queue_config *config)
{
	int rc;

	q->config = *config;
	q->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (q->kick_fd < 0)
		return -errno;
	rc = map_rings(q);
	if (!rc)
		rc = bind_events(q);
	if (rc) {
		uc_net_queue_close(q);
		return rc;
	}
	drain(q);
	q->kicked = q->tap_ready = true;
	return 0;
}

void uc_net_queue_close(struct uc_net_queue *q)
{
	uc_endpoint_close(&q->events[0].endpoint);
	uc_endpoint_close(&q->events[1].endpoint);
	if (q->tx_mapped)
		uc_gnttab_end(q->config.grants, q->config.tx_ref, true);
	if (q->rx_mapped)
		uc_gnttab_end(q->config.grants, q->config.rx_ref, true);
	q->tx_mapped = q->rx_mapped = false;
	close(q->kick_fd);
	q->kick_fd = -1;
}

bool uc_net_queue_run(struct uc_net_queue *q)
{
	int rx, tx = 0;

	if (q->broken)
		return false;
	rx = uc_net_rx_run(q);
	if (rx >= 0 && q->kicked) {
		tx = uc_net_tx_run(q);
		q->kicked = tx > 0;
	}
	__atomic_store_n(&q->broken, rx < 0 || tx < 0, __ATOMIC_RELAXED);
	return rx > 0 || tx > 0;
}
