/* SPDX-License-Identifier: MIT */
/* The ring itself: any split of the bytes, a full output ring, hostile indices, random bytes. */
#include "xs_guest.h"

#include <errno.h>
#include <stdlib.h>

static int setup(void **state)
{
	struct guest *g = malloc(sizeof(*g));

	guest_start(g);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	guest_stop(*state);
	free(*state);
	return 0;
}

/* One byte at a time, and in two pieces at every boundary, at every position of the ring. */
static void a_request_split_anywhere_is_one_request(void **state)
{
	struct guest *g = *state;
	static const char payload[] = "data/k\0value";
	char bytes[sizeof(struct xsd_sockmsg) + sizeof(payload) - 1];
	struct xsd_sockmsg hdr = {.type = XS_WRITE, .req_id = 7, .len = sizeof(payload) - 1};

	memcpy(bytes, &hdr, sizeof(hdr));
	memcpy(bytes + sizeof(hdr), payload, sizeof(payload) - 1);
	for (unsigned round = 0; round < 40; round++) {
		for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
			guest_push(g, bytes, cut);
			if (cut < sizeof(bytes))
				assert_quiet(g);
			guest_push(g, bytes + cut, sizeof(bytes) - cut);
			assert_true(guest_take(g));
			assert_ok(g, XS_WRITE);
			assert_int_equal(g->hdr.req_id, 7);
			CALL(g, XS_READ, 0, "data/k");
			assert_body(g, XS_READ, "value");
			CALL(g, XS_RM, 0, "data/k");
		}
	}
	for (size_t i = 0; i < sizeof(bytes); i++) {
		assert_quiet(g);
		guest_push(g, bytes + i, 1);
	}
	assert_true(guest_take(g));
	assert_ok(g, XS_WRITE);
}

static void a_request_larger_than_the_ring_passes(void **state)
{
	struct guest *g = *state;
	char payload[XENSTORE_PAYLOAD_MAX] = "data/k";

	memset(payload + 7, 'x', sizeof(payload) - 7);
	guest_call(g, XS_WRITE, 0, payload, sizeof(payload));
	assert_error(g, "ENOSPC");
	guest_call(g, XS_WRITE, 0, payload, 7 + 2048);
	assert_ok(g, XS_WRITE);
	CALL(g, XS_READ, 0, "data/k");
	assert_int_equal(g->hdr.len, 2048);
	assert_memory_equal(g->body, payload + 7, 2048);
}

static void an_over_long_message_ends_the_connection(void **state)
{
	struct guest *g = *state;
	struct xsd_sockmsg hdr = {.type = XS_READ, .len = XENSTORE_PAYLOAD_MAX + 1};

	guest_push(g, &hdr, sizeof(hdr));
	assert_true(g->ring.conn.broken);
	assert_int_equal(g->logged, 1);
	assert_false(uc_xs_ring_run(&g->ring));
	assert_int_equal(uc_store_write(&g->st, HOME "/name", "fine"), 0);
}

/* Pipelined requests whose replies do not fit: nothing is lost, and little is queued. */
static void a_guest_that_does_not_read_is_made_to_wait(void **state)
{
	struct guest *g = *state;
	char value[2048], request[24 + sizeof(value)];
	struct xsd_sockmsg hdr = {.type = XS_READ, .len = sizeof("data/k")};
	uint32_t sent = 0, got = 0;

	memset(value, 'v', sizeof(value));
	memcpy(request, "data/k", 7);
	memcpy(request + 7, value, sizeof(value));
	guest_call(g, XS_WRITE, 0, request, 7 + sizeof(value));
	assert_ok(g, XS_WRITE);
	while (g->page->req_prod - g->page->req_cons + sizeof(hdr) + hdr.len <=
	       XENSTORE_RING_SIZE) {
		hdr.req_id = ++sent;
		guest_push(g, &hdr, sizeof(hdr));
		guest_push(g, "data/k", hdr.len);
		assert_in_range(g->ring.conn.n_replies, 0, UC_XS_REPLIES_MAX);
		assert_in_range(sent, 1, 1000);
	}
	assert_int_equal(g->ring.conn.n_replies, UC_XS_REPLIES_MAX);
	assert_int_equal(g->page->rsp_prod - g->page->rsp_cons, XENSTORE_RING_SIZE);
	assert_false(uc_xs_ring_run(&g->ring));
	while (guest_take(g)) {
		assert_int_equal(g->hdr.req_id, ++got);
		assert_int_equal(g->hdr.len, sizeof(value));
		assert_memory_equal(g->body, value, sizeof(value));
	}
	assert_int_equal(got, sent);
}

static void the_guest_is_notified_when_something_moved(void **state)
{
	struct guest *g = *state;
	unsigned before = g->notified;

	assert_false(uc_xs_ring_run(&g->ring));
	assert_int_equal(g->notified, before);
	guest_push(g, "x", 1); /* room on the request ring */
	assert_int_equal(g->notified, before + 1);
}

static void an_event_from_outside_reaches_the_ring_at_once(void **state)
{
	struct guest *g = *state;
	unsigned before;

	CALL(g, XS_WATCH, 0, "control/shutdown\0t");
	assert_event(g, "control/shutdown\0t");
	before = g->notified;
	assert_int_equal(uc_store_write(&g->st, HOME "/control/shutdown", "poweroff"), 0);
	assert_int_equal(g->notified, before + 1);
	assert_int_not_equal(g->page->rsp_prod, g->page->rsp_cons);
	assert_event(g, "control/shutdown\0t");
}

static void indices_wrap_around(void **state)
{
	struct guest *g = *state;
	const uint32_t start = UINT32_MAX - 100;

	g->page->req_prod = g->page->req_cons = g->ring.req_cons = start;
	g->page->rsp_prod = g->page->rsp_cons = g->ring.rsp_prod = start;
	for (unsigned i = 0; i < 100; i++) {
		CALL(g, XS_READ, 0, "name");
		assert_body(g, XS_READ, "test");
	}
	assert_in_range(g->page->req_prod, 0, start - 1);
}

static void an_impossible_request_index_ends_the_connection(void **state)
{
	static const uint32_t lies[] = {XENSTORE_RING_SIZE + 1,
					XENSTORE_RING_SIZE + 2,
					4096,
					0x7fffffff,
					0x80000000,
					UINT32_MAX};
	(void)state;

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct guest g;

		guest_start(&g);
		g.page->req_prod = g.ring.req_cons + lies[i];
		assert_false(uc_xs_ring_run(&g.ring));
		assert_true(g.ring.conn.broken);
		assert_int_equal(g.logged, 1);
		g.page->req_prod = 0;
		assert_false(uc_xs_ring_run(&g.ring));
		assert_int_equal(g.logged, 1);
		guest_stop(&g);
	}
}

static void an_impossible_response_index_ends_the_connection(void **state)
{
	static const uint32_t lies[] = {1,	    2,		XENSTORE_RING_SIZE,
					0x7fffffff, 0x80000000, UINT32_MAX - XENSTORE_RING_SIZE};
	(void)state;

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct guest g;

		guest_start(&g);
		CALL(&g, XS_WATCH, 0, "data\0t"); /* broken while a watch fires must be safe */
		guest_take(&g);
		g.page->rsp_cons = g.ring.rsp_prod + lies[i];
		assert_int_equal(uc_store_write(&g.st, HOME "/data", "x"), 0);
		assert_true(g.ring.conn.broken);
		assert_int_equal(g.logged, 1);
		assert_int_equal(uc_store_write(&g.st, HOME "/data", "y"), 0);
		guest_stop(&g);
	}
}

static void a_full_ring_is_no_lie(void **state)
{
	struct guest *g = *state;

	/* 1024 bytes used exactly: 64 empty requests. */
	for (unsigned i = 0; i < 64; i++) {
		struct xsd_sockmsg hdr = {.type = XS_INVALID, .req_id = i};

		memcpy(g->page->req + i * sizeof(hdr), &hdr, sizeof(hdr));
	}
	g->page->req_prod = XENSTORE_RING_SIZE;
	for (unsigned i = 0; i < 64; i++) {
		assert_true(guest_take(g));
		assert_error(g, "ENOSYS");
		assert_int_equal(g->hdr.req_id, i);
	}
	assert_false(g->ring.conn.broken);
}

static void the_servers_own_indices_are_not_read_back(void **state)
{
	struct guest *g = *state;

	g->page->req_cons = 12345;
	g->page->rsp_prod = 54321;
	g->page->server_features = g->page->connection = g->page->error = UINT32_MAX;
	g->page->req_prod = 0;
	assert_false(uc_xs_ring_run(&g->ring));
	g->page->req_cons = g->page->rsp_prod = 0;
	CALL(g, XS_READ, 0, "name");
	assert_body(g, XS_READ, "test");
}

/* xorshift64*: the same sequence on every machine. */
static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dull;
}

static size_t random_payload(uint64_t *seed, char *payload)
{
	static const char *const words[] = {"data",	  "data/a",  "data/a/b",
					    HOME "/data", "error/e", "device",
					    "T",	  "F",	     "r1",
					    "n1",	  "b0",	     "token",
					    "name",	  "/",	     "@releaseDomain",
					    "attr/x/y",	  "no//pe",  "control/shutdown",
					    "17",	  ""};
	size_t len = 0;
	unsigned n = (unsigned)(next_random(seed) % 4);

	for (unsigned i = 0; i < n; i++) {
		const char *word = words[next_random(seed) % (sizeof(words) / sizeof(words[0]))];
		size_t size = strlen(word) + (next_random(seed) % 8 != 0);

		memcpy(payload + len, word, size);
		len += size;
	}
	if (next_random(seed) % 8 == 0)
		for (unsigned i = (unsigned)(next_random(seed) % 64); i; i--)
			payload[len++] = (char)next_random(seed);
	return len;
}

static void drain(struct guest *g, uint64_t *replies, uint64_t *errors)
{
	while (guest_take(g)) {
		if (g->hdr.type == XS_WATCH_EVENT)
			continue;
		++*replies;
		*errors += g->hdr.type == XS_ERROR;
	}
}

/* Well-formed frames with random contents: each gets exactly one reply, and limits hold. */
static void random_requests_are_all_answered(void **state)
{
	struct guest *g = *state;
	uint64_t seed = 0x5eed5eed5eedull, replies = 0, errors = 0;
	const unsigned n = 200000;
	char payload[512];

	for (unsigned i = 0; i < n; i++) {
		uint32_t type = (uint32_t)(next_random(&seed) % (XS_TYPE_COUNT + 2));
		uint32_t tx = next_random(&seed) % 3 ? 0
						     : g->ring.conn.client.last_tx_id -
							       (uint32_t)(next_random(&seed) % 4);
		size_t len = random_payload(&seed, payload);

		guest_send(g, type, tx, payload, len);
		drain(g, &replies, &errors);
	}
	assert_int_equal(replies, n);
	assert_in_range(errors, n / 4, n - n / 20); /* both kinds are exercised */
	assert_false(g->ring.conn.broken);
	assert_in_range(g->st.tree.guest_nodes, 1, UC_STORE_NODES_MAX);
	assert_in_range(g->st.pool.live_bytes, 1, UC_STORE_BYTES_MAX);
	assert_in_range(g->ring.conn.client.n_txs, 0, UC_STORE_TX_MAX);
	assert_in_range(g->ring.conn.client.n_watches, 0, UC_STORE_WATCHES_MAX);
}

/* Words that are often a plausible header field, seldom anything. */
static uint32_t random_word(uint64_t *seed)
{
	uint64_t value = next_random(seed);

	return value % 200 == 0 ? (uint32_t)(value >> 32) : (uint32_t)((value >> 32) % 24);
}

static void scribble(struct guest *g, uint64_t *seed)
{
	uint32_t word;

	for (size_t at = 0; at < XENSTORE_RING_SIZE; at += sizeof(word)) {
		word = random_word(seed);
		memcpy(g->page->req + at, &word, sizeof(word));
	}
	if (next_random(seed) % 64 == 0)
		for (size_t at = 2048; at < sizeof(*g->page); at++)
			((uint8_t *)g->page)[at] = (uint8_t)next_random(seed);
	else
		g->page->req_prod = g->ring.req_cons + (uint32_t)(next_random(seed) % 1025);
	if (next_random(seed) % 2)
		g->page->rsp_cons = g->ring.rsp_prod;
}

/* Requests and indices are random; connected anew whenever that broke the connection. */
static void random_pages_do_no_harm(void **state)
{
	uint64_t seed = 0xfacefeedull;
	unsigned broke = 0, ran = 0;
	(void)state;

	for (unsigned round = 0; round < 2000; round++) {
		struct guest g;

		guest_start(&g);
		for (unsigned i = 0; i < 50 && !g.ring.conn.broken; i++, ran++) {
			scribble(&g, &seed);
			for (unsigned j = 0; j < 4; j++)
				uc_xs_ring_run(&g.ring);
		}
		broke += g.ring.conn.broken;
		assert_in_range(g.logged, 0, 2);
		guest_stop(&g);
	}
	assert_in_range(broke, 1000, 2000);
	assert_in_range(ran, 6000, 100000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_request_split_anywhere_is_one_request),
		T(a_request_larger_than_the_ring_passes),
		T(an_over_long_message_ends_the_connection),
		T(a_guest_that_does_not_read_is_made_to_wait),
		T(the_guest_is_notified_when_something_moved),
		T(an_event_from_outside_reaches_the_ring_at_once),
		T(indices_wrap_around),
		T(an_impossible_request_index_ends_the_connection),
		T(an_impossible_response_index_ends_the_connection),
		T(a_full_ring_is_no_lie),
		T(the_servers_own_indices_are_not_read_back),
		T(random_requests_are_all_answered),
		T(random_pages_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
