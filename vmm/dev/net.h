/* SPDX-License-Identifier: MIT */
/*
 * The guest's network card, as xen-netfront sees it: what a toolstack and a back end driver write
 * to the xenstore, the XenbusState machine, and the queues of one connection.
 *
 * All of this is the control thread's. While a front end is connected its queues belong to a worker
 * thread (net_worker.h), which knows nothing of the xenstore.
 */
#ifndef UPCALL_VMM_DEV_NET_H
#define UPCALL_VMM_DEV_NET_H

#include <stdint.h>

#include "vmm/dev/net_queue.h"
#include "vmm/dev/net_tap.h"
#include "vmm/xen/gnttab.h"

struct uc_store;
struct uc_net;

/* The card as the user wants it; lives as long as the program, over reboots. */
struct uc_net_config {
	struct uc_tap tap;
	uint8_t mac[6];
};

struct uc_net_host {
	struct uc_net_config *config;
	struct uc_store *store;
	struct uc_domain *domain;
	struct uc_gnttab grants;
	uint16_t domid;
	uint32_t nr_vcpus;
	void (*log)(void *ctx, const char *text); /* one line; any thread */
	void *ctx;
};

/*
 * Fill `config` from "tap=NAME[,mac=XX:XX:XX:XX:XX:XX]" and open the tap. Without mac= the address
 * follows from the names of guest and tap, so it stays the same from run to run. -errno, `diag`.
 */
int uc_net_config_parse(struct uc_net_config *config, const char *text, const char *guest_name,
			uint32_t nr_vcpus, struct uc_diag *diag);

/* Offer the card in the xenstore. -errno. */
int uc_net_create(struct uc_net **net, const struct uc_net_host *host);
void uc_net_destroy(struct uc_net *net);

/* ---- for status ---- */

struct uc_net_queue_status {
	struct uc_net_stats stats;
	uint32_t tx_port, rx_port;
	bool broken;
};

struct uc_net_status {
	uint32_t nr_queues; /* of the connection there is, or 0 */
	struct uc_net_queue_status queues[UC_NET_QUEUES_MAX];
	/* All queues of connections that have ended: their sum, and how many the guest broke. */
	struct uc_net_stats ended;
	uint32_t connections_ended, queues_broken;
};

/* Any thread. */
void uc_net_status(struct uc_net *net, struct uc_net_status *status);

#endif
