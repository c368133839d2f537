/* SPDX-License-Identifier: MIT */
/* The network card's keys in the xenstore. Values of the guest are numbers, or nothing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/dev/net_private.h"
#include "vmm/xen/store.h"

/* ---- what we write ---- */

struct pair {
	const char *key;
	char value[UC_NET_PATH_MAX];
};

static int put(struct uc_store *st, const char *dir, const struct pair *pairs, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		char path[2 * UC_NET_PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", dir, pairs[i].key);
		rc = uc_store_write(st, path, pairs[i].value);
	}
	return rc;
}

static void format_mac(char *text, const uint8_t *mac)
{
	sprintf(text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		mac[5]);
}

static int offer_back(struct uc_net *net)
{
	/* Backend directories are the toolstack's; the guest may look (libxl_device.c). */
	const struct uc_store_perms perms = {
		.n = 2, .p = {{0, UC_STORE_NONE}, {net->host.domid, UC_STORE_READ}}};
	struct pair pairs[] = {
		{"frontend", ""},
		{"frontend-id", ""},
		{"online", "1"},
		{"handle", "0"},
		{"mac", ""},
		{"feature-rx-copy", "1"},
		{"feature-sg", "1"},
		{"feature-gso-tcpv4", "1"},
		{"feature-gso-tcpv6", "1"},
		{"feature-ipv6-csum-offload", "1"},
		{"feature-no-csum-offload", "0"},
		{"feature-rx-flip", "0"},
		{"feature-multicast-control", "0"},
		{"feature-dynamic-multicast-control", "0"},
		{"feature-split-event-channels", "1"},
		{"multi-queue-max-queues", ""},
	};
	uint32_t queues = net->host.config->tap.nr_queues;
	int rc = uc_store_mknod(net->host.store, net->back, &perms);

	strcpy(pairs[0].value, net->front);
	sprintf(pairs[1].value, "%u", net->host.domid);
	format_mac(pairs[4].value, net->host.config->mac);
	sprintf(pairs[15].value, "%u", queues < net->host.nr_vcpus ? queues : net->host.nr_vcpus);
	return rc ? rc : put(net->host.store, net->back, pairs, sizeof(pairs) / sizeof(pairs[0]));
}

static int offer_front(struct uc_net *net)
{
	const struct uc_store_perms own = {
		.n = 2, .p = {{net->host.domid, UC_STORE_NONE}, {0, UC_STORE_READ}}};
	struct pair pairs[] = {
		{"backend", ""}, {"backend-id", "0"}, {"handle", "0"}, {"mac", ""}, {"state", "1"},
	};
	int rc = uc_store_mknod(net->host.store, net->front, &own);

	strcpy(pairs[0].value, net->back);
	format_mac(pairs[3].value, net->host.config->mac);
	return rc ? rc : put(net->host.store, net->front, pairs, sizeof(pairs) / sizeof(pairs[0]));
}

int uc_net_xenbus_offer(struct uc_net *net)
{
	int rc;

	snprintf(net->front, sizeof(net->front), "/local/domain/%u/device/vif/0", net->host.domid);
	snprintf(net->back, sizeof(net->back), "/local/domain/0/backend/vif/%u/0", net->host.domid);
	rc = offer_back(net);
	if (!rc)
		uc_net_xenbus_set_state(net, XenbusStateInitWait);
	return rc ? rc : offer_front(net);
}

void uc_net_xenbus_withdraw(struct uc_net *net)
{
	uc_store_rm(net->host.store, net->front);
	uc_store_rm(net->host.store, net->back);
}

void uc_net_xenbus_set_state(struct uc_net *net, enum xenbus_state state)
{
	char path[UC_NET_PATH_MAX + 16];

	net->state = state;
	snprintf(path, sizeof(path), "%s/state", net->back);
	uc_store_writef(net->host.store, path, "%u", state);
}

/* ---- what the guest writes ---- */

/* A decimal number of the front end's; `missing` when there is no such key. -EINVAL. */
static int read_number(const struct uc_net *net, const char *dir, const char *key, int64_t missing,
		       uint32_t *value)
{
	char path[2 * UC_NET_PATH_MAX], text[16], *end;
	unsigned long long n;
	ssize_t len;

	snprintf(path, sizeof(path), "%s%s/%s", net->front, dir, key);
	len = uc_store_read(net->host.store, path, text, sizeof(text));
	if (len == -ENOENT && missing >= 0) {
		*value = (uint32_t)missing;
		return 0;
	}
	if (len <= 0 || strspn(text, "0123456789") != (size_t)len)
		return -EINVAL;
	n = strtoull(text, &end, 10);
	if (n > UINT32_MAX)
		return -EINVAL;
	*value = (uint32_t)n;
	return 0;
}

static bool has(const struct uc_net *net, const char *key)
{
	uint32_t value;

	return !read_number(net, "", key, 0, &value) && value;
}

enum xenbus_state uc_net_xenbus_front_state(const struct uc_net *net)
{
	uint32_t state;

	if (read_number(net, "", "state", XenbusStateUnknown, &state) ||
	    state > XenbusStateReconfigured)
		return XenbusStateUnknown;
	return (enum xenbus_state)state;
}

int uc_net_xenbus_features(const struct uc_net *net, struct uc_net_features *features,
			   uint32_t *nr_queues)
{
	uint32_t max = net->host.config->tap.nr_queues;

	*features = (struct uc_net_features){
		.sg = has(net, "feature-sg"),
		.csum_ipv4 = !has(net, "feature-no-csum-offload"),
		.csum_ipv6 = has(net, "feature-ipv6-csum-offload"),
	};
	features->tso_ipv4 = features->sg && features->csum_ipv4 && has(net, "feature-gso-tcpv4");
	features->tso_ipv6 = features->sg && features->csum_ipv6 && has(net, "feature-gso-tcpv6");
	/* The other way to receive, page flipping, is long gone. */
	if (!has(net, "request-rx-copy"))
		return -EINVAL;
	if (read_number(net, "", "multi-queue-num-queues", 1, nr_queues) || !*nr_queues ||
	    *nr_queues > max || *nr_queues > net->host.nr_vcpus)
		return -EINVAL;
	return 0;
}

int uc_net_xenbus_queue(const struct uc_net *net, uint32_t i, uint32_t nr_queues,
			struct uc_net_queue_config *config)
{
	char dir[16] = "";
	int rc;

	if (nr_queues > 1)
		snprintf(dir, sizeof(dir), "/queue-%u", i);
	rc = read_number(net, dir, "tx-ring-ref", -1, &config->tx_ref);
	if (!rc)
		rc = read_number(net, dir, "rx-ring-ref", -1, &config->rx_ref);
	if (rc)
		return rc;
	if (!read_number(net, dir, "event-channel-tx", -1, &config->tx_port))
		return read_number(net, dir, "event-channel-rx", -1, &config->rx_port);
	rc = read_number(net, dir, "event-channel", -1, &config->tx_port);
	config->rx_port = config->tx_port;
	return rc;
}
