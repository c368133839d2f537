/* SPDX-License-Identifier: MIT */
#include "xs_guest.h"

#include <stdlib.h>

static void on_notify(void *ctx)
{
	((struct guest *)ctx)->notified++;
}

static void on_log(void *ctx, const char *text)
{
	(void)text;
	((struct guest *)ctx)->logged++;
}

static const struct uc_xs_ring_ops ops = {on_notify, on_log};

void guest_start(struct guest *g)
{
	static const struct uc_store_guest desc = {
		.domid = DOMID,
		.name = "test",
		.uuid = UUID,
		.n_vcpus = 2,
		.memory_kib = 262144,
		.store_port = 3,
		.store_gfn = 0xfeffc,
		.console_port = 4,
		.console_gfn = 0xfeffb,
	};

	memset(g, 0, sizeof(*g));
	g->page = malloc(sizeof(*g->page));
	assert_non_null(g->page);
	assert_int_equal(uc_store_init(&g->st), 0);
	assert_int_equal(uc_store_populate_guest(&g->st, &desc), 0);
	uc_xs_ring_init(&g->ring, &g->st, DOMID, g->page, &ops, g);
}

void guest_stop(struct guest *g)
{
	uc_xs_ring_destroy(&g->ring);
	uc_store_destroy(&g->st);
	assert_int_equal(g->st.pool.live_bytes, 0);
	free(g->page);
}

static void run(struct guest *g)
{
	while (uc_xs_ring_run(&g->ring))
		;
}

void guest_push(struct guest *g, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		uint32_t room = XENSTORE_RING_SIZE - (g->page->req_prod - g->page->req_cons);
		size_t n = len < room ? len : room;

		for (size_t i = 0; i < n; i++)
			g->page->req[MASK_XENSTORE_IDX(g->page->req_prod + i)] = at[i];
		g->page->req_prod += (uint32_t)n;
		at += n;
		len -= n;
		run(g);
		if (len && !n)
			fail_msg("the server takes no more requests");
	}
}

void guest_send(struct guest *g, uint32_t type, uint32_t tx, const void *payload, size_t len)
{
	struct xsd_sockmsg hdr = {
		.type = type, .req_id = ++g->req_id, .tx_id = tx, .len = (uint32_t)len};

	guest_push(g, &hdr, sizeof(hdr));
	guest_push(g, payload, len);
}

static bool take_bytes(struct guest *g, void *bytes, size_t len)
{
	char *at = bytes;

	while (len) {
		if (g->page->rsp_cons == g->page->rsp_prod) {
			run(g);
			if (g->page->rsp_cons == g->page->rsp_prod)
				return false;
		}
		*at++ = g->page->rsp[MASK_XENSTORE_IDX(g->page->rsp_cons)];
		g->page->rsp_cons++;
		len--;
	}
	return true;
}

static bool take_new(struct guest *g)
{
	if (!take_bytes(g, &g->hdr, sizeof(g->hdr)))
		return false;
	assert_in_range(g->hdr.len, 0, XENSTORE_PAYLOAD_MAX);
	assert_true(take_bytes(g, g->body, g->hdr.len));
	g->body[g->hdr.len] = '\0';
	return true;
}

bool guest_take(struct guest *g)
{
	if (!g->n_stashed)
		return take_new(g);
	g->hdr = g->stash[0].hdr;
	memcpy(g->body, g->stash[0].body, sizeof(g->stash[0].body));
	memmove(&g->stash[0], &g->stash[1], --g->n_stashed * sizeof(g->stash[0]));
	return true;
}

static void stash(struct guest *g)
{
	assert_in_range(g->n_stashed, 0, sizeof(g->stash) / sizeof(g->stash[0]) - 1);
	assert_in_range(g->hdr.len, 0, sizeof(g->stash[0].body));
	g->stash[g->n_stashed].hdr = g->hdr;
	memcpy(g->stash[g->n_stashed++].body, g->body, g->hdr.len);
}

void guest_call(struct guest *g, uint32_t type, uint32_t tx, const void *payload, size_t len)
{
	guest_send(g, type, tx, payload, len);
	assert_true(take_new(g));
	while (g->hdr.type == XS_WATCH_EVENT) {
		stash(g);
		assert_true(take_new(g));
	}
	assert_int_equal(g->hdr.req_id, g->req_id);
	assert_int_equal(g->hdr.tx_id, tx);
}

uint32_t guest_tx(struct guest *g)
{
	CALL(g, XS_TRANSACTION_START, 0, "");
	assert_int_equal(g->hdr.type, XS_TRANSACTION_START);
	return (uint32_t)strtoul(g->body, NULL, 10);
}
