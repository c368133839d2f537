/* SPDX-License-Identifier: MIT */
/*
 * The card in the xenstore: what is offered, and the states on the way through any order of what a
 * front end writes. A tap's configuration is recorded here instead of told to a tap.
 */
#include "fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xen/io/xenbus.h>

#include "vmm/dev/net.h"
#include "vmm/xen/store.h"
#include "vmm/xen/store_guest.h"

#define FRONT "/local/domain/1/device/vif/0/"
#define BACK  "/local/domain/0/backend/vif/1/0/"

struct card {
	struct net_guest *g;
	struct uc_store store;
	struct uc_net_config config;
	struct uc_net *net;
	char states[64]; /* every state of ours, a digit each */
	int logged;
};

static struct {
	uint32_t nr_queues;
	bool csum, tso4, tso6;
} tap;

int uc_tap_configure(struct uc_tap *unused, uint32_t nr_queues, bool csum, bool tso4, bool tso6)
{
	(void)unused;
	tap.nr_queues = nr_queues;
	tap.csum = csum;
	tap.tso4 = tso4;
	tap.tso6 = tso6;
	return 0;
}

static void on_log(void *ctx, const char *text)
{
	(void)text;
	__atomic_fetch_add(&((struct card *)ctx)->logged, 1, __ATOMIC_RELAXED);
}

static void on_state(void *ctx, const char *path)
{
	struct card *c = ctx;
	char value[16];
	size_t n = strlen(c->states);

	(void)path;
	if (uc_store_read(&c->store, BACK "state", value, sizeof(value)) == 1 &&
	    n < sizeof(c->states) - 1 && (!n || c->states[n - 1] != value[0]))
		c->states[n] = value[0];
}

static int setup(void **state)
{
	const struct uc_store_guest guest = {.domid = 1, .name = "test", .n_vcpus = 4};
	struct card *c = calloc(1, sizeof(*c));
	struct uc_net_host host;

	assert_non_null(c);
	c->g = guest_new();
	assert_int_equal(uc_store_init(&c->store), 0);
	assert_int_equal(uc_store_populate_guest(&c->store, &guest), 0);
	c->config = (struct uc_net_config){.tap = {.nr_queues = 2},
					   .mac = {0, 0x16, 0x3e, 1, 2, 3}};
	c->config.tap.fds[0] = c->g->config.tap_fd;
	c->config.tap.fds[1] = dup(c->g->config.tap_fd);
	host = (struct uc_net_host){.config = &c->config,
				    .store = &c->store,
				    .domain = &c->g->domain,
				    .grants = c->g->table,
				    .domid = 1,
				    .nr_vcpus = 4,
				    .log = on_log,
				    .ctx = c};
	assert_int_equal(uc_net_create(&c->net, &host), 0);
	assert_int_equal(uc_store_watch(&c->store, BACK "state", on_state, c), 0);
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	struct card *c = *state;

	uc_store_unwatch(&c->store, BACK "state", on_state, c);
	uc_net_destroy(c->net);
	uc_store_destroy(&c->store);
	close(c->config.tap.fds[1]);
	guest_free(c->g);
	free(c);
	return 0;
}

static void has(struct card *c, const char *path, const char *want)
{
	char value[128] = "";

	assert_true(uc_store_read(&c->store, path, value, sizeof(value)) >= 0);
	assert_string_equal(value, want);
}

static void put(struct card *c, const char *key, const char *fmt, uint32_t n)
{
	char path[96], value[32];

	snprintf(path, sizeof(path), FRONT "%s", key);
	snprintf(value, sizeof(value), fmt, n);
	assert_int_equal(uc_store_write(&c->store, path, value), 0);
}

static void front_state(struct card *c, uint32_t state)
{
	put(c, "state", "%u", state);
}

/* What xen-netfront writes for one queue. */
static void write_keys(struct card *c)
{
	put(c, "multi-queue-num-queues", "%u", 1);
	put(c, "tx-ring-ref", "%u", TX_REF);
	put(c, "rx-ring-ref", "%u", RX_REF);
	put(c, "event-channel-tx", "%u", c->g->config.tx_port);
	put(c, "event-channel-rx", "%u", c->g->config.rx_port);
	put(c, "request-rx-copy", "%u", 1);
	put(c, "feature-rx-notify", "%u", 1);
	put(c, "feature-sg", "%u", 1);
	put(c, "feature-gso-tcpv4", "%u", 1);
	put(c, "feature-gso-tcpv6", "%u", 1);
	put(c, "feature-ipv6-csum-offload", "%u", 1);
}

static void the_offer(void **state)
{
	struct card *c = *state;

	has(c, FRONT "backend", "/local/domain/0/backend/vif/1/0");
	has(c, FRONT "backend-id", "0");
	has(c, FRONT "mac", "00:16:3e:01:02:03");
	has(c, FRONT "handle", "0");
	has(c, FRONT "state", "1");
	has(c, BACK "frontend", "/local/domain/1/device/vif/0");
	has(c, BACK "frontend-id", "1");
	has(c, BACK "feature-rx-copy", "1");
	has(c, BACK "feature-split-event-channels", "1");
	/* As many as vCPUs, and no more than the tap has. */
	has(c, BACK "multi-queue-max-queues", "2");
	has(c, BACK "state", "2");
}

static void connects_and_closes_and_connects_again(void **state)
{
	struct card *c = *state;
	struct uc_net_status status;

	for (int i = 0; i < 3; i++) {
		write_keys(c);
		front_state(c, XenbusStateConnected);
		uc_net_status(c->net, &status);
		assert_int_equal(status.nr_queues, 1);
		assert_int_equal(status.queues[0].tx_port, c->g->config.tx_port);
		assert_int_equal(tap.nr_queues, 1);
		assert_true(tap.csum && tap.tso4 && tap.tso6);
		front_state(c, XenbusStateClosing);
		uc_net_status(c->net, &status);
		assert_int_equal(status.nr_queues, 0);
		assert_int_equal(tap.nr_queues, 0);
		assert_int_equal(grant_flags(c->g, TX_REF), GTF_permit_access);
		front_state(c, XenbusStateClosed);
		front_state(c, XenbusStateInitialising);
	}
	assert_string_equal(c->states, "2456245624562");
	assert_int_equal(status.connections_ended, 3);
	assert_int_equal(status.queues_broken, 0);
	assert_int_equal(c->logged, 0);
}

/* A guest that crashed and starts anew never said goodbye. */
static void starts_anew_from_connected(void **state)
{
	struct card *c = *state;

	write_keys(c);
	front_state(c, XenbusStateConnected);
	front_state(c, XenbusStateInitialising);
	/* Closing and Closed are passed in between; a watch only sees where it ends. */
	assert_string_equal(c->states, "242");
	assert_int_equal(grant_flags(c->g, TX_REF), GTF_permit_access);
	front_state(c, XenbusStateConnected);
	assert_string_equal(c->states, "2424");
}

static void a_removed_front_end_is_closed(void **state)
{
	struct card *c = *state;

	write_keys(c);
	front_state(c, XenbusStateConnected);
	assert_int_equal(uc_store_rm(&c->store, "/local/domain/1/device/vif/0"), 0);
	assert_string_equal(c->states, "246");
	assert_int_equal(tap.nr_queues, 0);
}

static void any_order_of_states_ends_in_one_of_ours(void **state)
{
	struct card *c = *state;
	uint32_t seed = 1;

	write_keys(c);
	for (int i = 0; i < 500; i++) {
		seed = seed * 1103515245 + 12345;
		front_state(c, seed >> 16 & 15);
		memset(c->states, 0, sizeof(c->states));
	}
	front_state(c, XenbusStateClosed);
	has(c, BACK "state", "6");
	assert_int_equal(grant_flags(c->g, TX_REF), GTF_permit_access);
	front_state(c, XenbusStateInitialising);
	front_state(c, XenbusStateConnected);
	has(c, BACK "state", "4");
}

static void features_are_those_of_the_front_end(void **state)
{
	struct card *c = *state;

	write_keys(c);
	put(c, "feature-sg", "%u", 0);
	front_state(c, XenbusStateConnected);
	assert_true(tap.csum && !tap.tso4 && !tap.tso6);
	front_state(c, XenbusStateClosed);
	put(c, "feature-sg", "%u", 1);
	put(c, "feature-no-csum-offload", "%u", 1);
	front_state(c, XenbusStateConnected);
	assert_true(tap.csum && !tap.tso4 && tap.tso6);
	front_state(c, XenbusStateClosed);
	put(c, "feature-ipv6-csum-offload", "%u", 0);
	front_state(c, XenbusStateConnected);
	assert_true(!tap.csum && !tap.tso4 && !tap.tso6);
}

/* Two queues, and each one channel for both directions. */
static void several_queues(void **state)
{
	struct card *c = *state;
	struct uc_net_status status;

	write_keys(c);
	grant(c->g, 20, 10, GTF_permit_access);
	grant(c->g, 21, 11, GTF_permit_access);
	put(c, "multi-queue-num-queues", "%u", 2);
	put(c, "queue-0/tx-ring-ref", "%u", TX_REF);
	put(c, "queue-0/rx-ring-ref", "%u", RX_REF);
	put(c, "queue-0/event-channel", "%u", c->g->config.tx_port);
	put(c, "queue-1/tx-ring-ref", "%u", 20);
	put(c, "queue-1/rx-ring-ref", "%u", 21);
	front_state(c, XenbusStateConnected);
	uc_net_status(c->net, &status);
	assert_int_equal(status.nr_queues, 0); /* queue 1 has no channel */
	assert_int_equal(grant_flags(c->g, TX_REF), GTF_permit_access);
	has(c, BACK "state", "5");
	put(c, "queue-1/event-channel", "%u", c->g->config.rx_port);
	front_state(c, XenbusStateInitialising);
	front_state(c, XenbusStateConnected);
	has(c, BACK "state", "4");
	uc_net_status(c->net, &status);
	assert_int_equal(status.nr_queues, 2);
	assert_int_equal(status.queues[0].tx_port, status.queues[0].rx_port);
	assert_int_equal(status.queues[1].tx_port, c->g->config.rx_port);
}

/* All keys for three are there, but the tap has two queues. */
static void more_queues_than_were_offered(void **state)
{
	struct card *c = *state;
	char key[40];

	write_keys(c);
	c->config.tap.fds[2] = c->g->kick_fd; /* so that nothing else is in the way */
	put(c, "multi-queue-num-queues", "%u", 3);
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t port;

		assert_int_equal(uc_alloc_unbound(&c->g->domain, 0, &port), 0);
		snprintf(key, sizeof(key), "queue-%u/tx-ring-ref", i);
		put(c, key, "%u", BUF_REF + 2 * i);
		snprintf(key, sizeof(key), "queue-%u/rx-ring-ref", i);
		put(c, key, "%u", BUF_REF + 2 * i + 1);
		snprintf(key, sizeof(key), "queue-%u/event-channel", i);
		put(c, key, "%u", port);
	}
	front_state(c, XenbusStateConnected);
	has(c, BACK "state", "5");
	put(c, "multi-queue-num-queues", "%u", 2);
	front_state(c, XenbusStateInitialising);
	front_state(c, XenbusStateConnected);
	has(c, BACK "state", "4");
}

static void refused(struct card *c, const char *key, const char *value)
{
	char path[96];

	write_keys(c);
	snprintf(path, sizeof(path), FRONT "%s", key);
	if (value)
		assert_int_equal(uc_store_write(&c->store, path, value), 0);
	else
		assert_int_equal(uc_store_rm(&c->store, path), 0);
	c->logged = 0;
	front_state(c, XenbusStateConnected);
	has(c, BACK "state", "5");
	assert_int_equal(c->logged, 1);
	assert_int_equal(grant_flags(c->g, TX_REF), GTF_permit_access);
	assert_int_equal(grant_flags(c->g, RX_REF), GTF_permit_access);
	front_state(c, XenbusStateInitialising);
	has(c, BACK "state", "2");
}

static void what_cannot_be_connected(void **state)
{
	struct card *c = *state;

	refused(c, "tx-ring-ref", NULL);
	refused(c, "rx-ring-ref", "");
	refused(c, "rx-ring-ref", "4294967296");
	refused(c, "rx-ring-ref", "18446744073709551625");
	refused(c, "rx-ring-ref", "99999999999999999999999999999999999");
	refused(c, "rx-ring-ref", "-9");
	refused(c, "rx-ring-ref", "0x9");
	refused(c, "rx-ring-ref", "9 ");
	refused(c, "rx-ring-ref", "50");
	refused(c, "tx-ring-ref", "4294967295");
	refused(c, "event-channel-tx", "0");
	refused(c, "event-channel-tx", "4294967295");
	refused(c, "event-channel-rx", "63");
	refused(c, "event-channel-rx", NULL);
	refused(c, "request-rx-copy", "0");
	refused(c, "multi-queue-num-queues", "0");
	refused(c, "multi-queue-num-queues", "3");
	refused(c, "multi-queue-num-queues", "4294967297");
	/* And after all that it still connects. */
	write_keys(c);
	front_state(c, XenbusStateConnected);
	has(c, BACK "state", "4");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_offer),
		TEST(connects_and_closes_and_connects_again),
		TEST(starts_anew_from_connected),
		TEST(a_removed_front_end_is_closed),
		TEST(any_order_of_states_ends_in_one_of_ours),
		TEST(features_are_those_of_the_front_end),
		TEST(several_queues),
		TEST(more_queues_than_were_offered),
		TEST(what_cannot_be_connected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
