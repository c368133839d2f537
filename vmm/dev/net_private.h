/* SPDX-License-Identifier: MIT */
/* What the files of the network card share: net.c (its states), net_xenbus.c (its keys). */
#ifndef UPCALL_VMM_DEV_NET_PRIVATE_H
#define UPCALL_VMM_DEV_NET_PRIVATE_H

#include <stdint.h>

#include <xen/xen.h>

#include <xen/io/xenbus.h>

#include "vmm/dev/net.h"
#include "vmm/dev/net_worker.h"

#define UC_NET_PATH_MAX 96

struct uc_net {
	struct uc_net_host host;
	char front[UC_NET_PATH_MAX]; /* /local/domain/1/device/vif/0 */
	char back[UC_NET_PATH_MAX];  /* /local/domain/0/backend/vif/1/0 */
	enum xenbus_state state;     /* ours, as it is in the xenstore */

	/* Of the connection; NULL and 0 when there is none. Changed by the control thread, under
	 * the lock, which uc_net_status() takes and the worker never does. */
	pthread_mutex_t lock;
	struct uc_net_queue *queues[UC_NET_QUEUES_MAX];
	uint32_t nr_queues;
	struct uc_net_stats ended; /* see struct uc_net_status */
	uint32_t connections_ended, queues_broken;
	struct uc_net_worker worker;
};

/* Write everything a toolstack and a back end write before the front end comes. */
int uc_net_xenbus_offer(struct uc_net *net);
/* Take it back. */
void uc_net_xenbus_withdraw(struct uc_net *net);
void uc_net_xenbus_set_state(struct uc_net *net, enum xenbus_state state);
/* XenbusStateUnknown for anything that is no state. */
enum xenbus_state uc_net_xenbus_front_state(const struct uc_net *net);

/* What the front end wrote, checked. -EINVAL. */
int uc_net_xenbus_features(const struct uc_net *net, struct uc_net_features *features,
			   uint32_t *nr_queues);
/* Refs and ports of queue `i` of `nr_queues`. -EINVAL. */
int uc_net_xenbus_queue(const struct uc_net *net, uint32_t i, uint32_t nr_queues,
			struct uc_net_queue_config *config);

#endif
