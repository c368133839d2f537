/* SPDX-License-Identifier: MIT */
#include "vmm/dev/net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/dev/net_private.h"
#include "vmm/xen/store.h"

static void say(const struct uc_net *net, const char *what, int err)
{
	char line[160];

	snprintf(line, sizeof(line), "net: %s%s%s", what, err ? ": " : "",
		 err ? strerror(err) : "");
	net->host.log(net->host.ctx, line);
}

/* ---- one connection ---- */

/* Worker's thread. */
static void on_broken(void *ctx, const struct uc_net_queue *q)
{
	(void)q;
	say(ctx, "the guest broke the protocol of a queue, which is stopped", 0);
}

static void close_queues(struct uc_net *net)
{
	for (uint32_t i = 0; i < UC_NET_QUEUES_MAX; i++) {
		if (!net->queues[i])
			continue;
		uc_net_queue_close(net->queues[i]);
		free(net->queues[i]);
		net->queues[i] = NULL;
	}
}

static int open_queue(struct uc_net *net, uint32_t i, uint32_t nr_queues,
		      const struct uc_net_features *features)
{
	struct uc_net_queue_config config = {.grants = &net->host.grants,
					     .domain = net->host.domain,
					     .tap_fd = net->host.config->tap.fds[i],
					     .features = *features};
	struct uc_net_queue *q;
	int rc = uc_net_xenbus_queue(net, i, nr_queues, &config);

	if (rc)
		return rc;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	rc = uc_net_queue_open(q, &config);
	if (rc)
		free(q);
	else
		net->queues[i] = q;
	return rc;
}

static void add_stats(struct uc_net_stats *sum, const struct uc_net_queue *q)
{
	const uint64_t *from = (const uint64_t *)&q->stats;
	uint64_t *to = (uint64_t *)sum;

	for (size_t n = 0; n < sizeof(*sum) / sizeof(*to); n++)
		to[n] += __atomic_load_n(&from[n], __ATOMIC_RELAXED);
}

/* What the queues counted stays when they go. */
static void end_counting(struct uc_net *net)
{
	pthread_mutex_lock(&net->lock);
	for (uint32_t i = 0; i < net->nr_queues; i++) {
		add_stats(&net->ended, net->queues[i]);
		net->queues_broken += net->queues[i]->broken;
	}
	net->connections_ended++;
	net->nr_queues = 0;
	pthread_mutex_unlock(&net->lock);
}

/* Whoever asks for the status sees all queues of a connection, or none. */
static void set_nr_queues(struct uc_net *net, uint32_t nr_queues)
{
	pthread_mutex_lock(&net->lock);
	net->nr_queues = nr_queues;
	pthread_mutex_unlock(&net->lock);
}

static int start(struct uc_net *net, uint32_t nr_queues, const struct uc_net_features *features)
{
	int rc = uc_tap_configure(&net->host.config->tap, nr_queues,
				  features->csum_ipv4 || features->csum_ipv6, features->tso_ipv4,
				  features->tso_ipv6);

	for (uint32_t i = 0; i < nr_queues && !rc; i++)
		rc = open_queue(net, i, nr_queues, features);
	if (rc)
		return rc;
	net->worker = (struct uc_net_worker){
		.queues = net->queues, .nr_queues = nr_queues, .on_broken = on_broken, .ctx = net};
	rc = uc_net_worker_start(&net->worker);
	if (!rc)
		set_nr_queues(net, nr_queues);
	return rc;
}

static int connect_front(struct uc_net *net)
{
	struct uc_net_features features;
	uint32_t nr_queues;
	int rc = uc_net_xenbus_features(net, &features, &nr_queues);

	if (!rc)
		rc = start(net, nr_queues, &features);
	if (rc)
		close_queues(net);
	return rc;
}

static void disconnect_front(struct uc_net *net)
{
	if (!net->nr_queues)
		return;
	uc_net_worker_stop(&net->worker);
	end_counting(net);
	close_queues(net);
	uc_tap_configure(&net->host.config->tap, 0, false, false, false);
}

/* ---- XenbusState ---- */

/* Each step on the way is written, as a front end may wait for any of them. */
static void go_closed(struct uc_net *net)
{
	disconnect_front(net);
	if (net->state != XenbusStateClosing && net->state != XenbusStateClosed)
		uc_net_xenbus_set_state(net, XenbusStateClosing);
	if (net->state != XenbusStateClosed)
		uc_net_xenbus_set_state(net, XenbusStateClosed);
}

static void go_waiting(struct uc_net *net)
{
	if (net->state == XenbusStateInitWait)
		return;
	go_closed(net); /* also when a guest that crashed left us connected */
	uc_net_xenbus_set_state(net, XenbusStateInitWait);
}

static void go_connected(struct uc_net *net)
{
	int rc;

	if (net->state == XenbusStateConnected)
		return;
	go_waiting(net);
	rc = connect_front(net);
	if (!rc) {
		uc_net_xenbus_set_state(net, XenbusStateConnected);
		return;
	}
	say(net, "what the guest's front end wrote to connect cannot be used", -rc);
	uc_net_xenbus_set_state(net, XenbusStateClosing);
}

static void go_closing(struct uc_net *net)
{
	if (net->state == XenbusStateClosed || net->state == XenbusStateClosing)
		return;
	disconnect_front(net);
	uc_net_xenbus_set_state(net, XenbusStateClosing);
}

/* Whatever order of states the guest invents, it ends in one of ours. */
static void on_front_state(void *ctx, const char *path)
{
	struct uc_net *net = ctx;

	(void)path;
	switch (uc_net_xenbus_front_state(net)) {
	case XenbusStateInitialising:
		go_waiting(net);
		break;
	case XenbusStateConnected:
		go_connected(net);
		break;
	case XenbusStateClosing:
		go_closing(net);
		break;
	case XenbusStateClosed:
	case XenbusStateUnknown:
		go_closed(net);
		break;
	default:
		break; /* on the way to one of the others */
	}
}

/* ---- life ---- */

int uc_net_create(struct uc_net **out, const struct uc_net_host *host)
{
	struct uc_net *net = calloc(1, sizeof(*net));
	char path[UC_NET_PATH_MAX + 16];
	int rc;

	if (!net)
		return -ENOMEM;
	net->host = *host;
	pthread_mutex_init(&net->lock, NULL);
	rc = uc_tap_configure(&host->config->tap, 0, false, false, false);
	if (!rc)
		rc = uc_net_xenbus_offer(net);
	snprintf(path, sizeof(path), "%s/state", net->front);
	if (!rc)
		rc = uc_store_watch(host->store, path, on_front_state, net);
	if (rc) {
		free(net);
		return rc;
	}
	*out = net;
	return 0;
}

void uc_net_destroy(struct uc_net *net)
{
	char path[UC_NET_PATH_MAX + 16];

	if (!net)
		return;
	snprintf(path, sizeof(path), "%s/state", net->front);
	uc_store_unwatch(net->host.store, path, on_front_state, net);
	disconnect_front(net);
	uc_net_xenbus_withdraw(net);
	free(net);
}

void uc_net_status(struct uc_net *net, struct uc_net_status *status)
{
	memset(status, 0, sizeof(*status));
	pthread_mutex_lock(&net->lock);
	status->nr_queues = net->nr_queues;
	for (uint32_t i = 0; i < net->nr_queues; i++) {
		const struct uc_net_queue *q = net->queues[i];

		add_stats(&status->queues[i].stats, q);
		status->queues[i].tx_port = q->config.tx_port;
		status->queues[i].rx_port = q->config.rx_port;
		status->queues[i].broken = __atomic_load_n(&q->broken, __ATOMIC_RELAXED);
	}
	status->ended = net->ended;
	status->connections_ended = net->connections_ended;
	status->queues_broken = net->queues_broken;
	pthread_mutex_unlock(&net->lock);
}
