/* SPDX-License-Identifier: MIT */
#include "vmm/xen/xs_ring.h"

#include <string.h>

/* Rounds of one run: enough for a full ring of the smallest requests, whose replies fit too. */
#define ROUNDS_MAX 64u

static unsigned min_u(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* 0 to 1024 bytes between two indices; more is a lie, and ends the connection. */
static bool used_ok(struct uc_xs_ring *ring, uint32_t used)
{
	if (used <= XENSTORE_RING_SIZE)
		return true;
	uc_xs_conn_break(&ring->conn,
			 "xenstore: the guest wrote an impossible ring index; its connection "
			 "is closed");
	return false;
}

/* Move up to one contiguous piece of requests out of the ring. */
static bool pump_in(struct uc_xs_ring *ring)
{
	struct xenstore_domain_interface *page = ring->page;
	unsigned at = MASK_XENSTORE_IDX(ring->req_cons);
	char bytes[XENSTORE_RING_SIZE];
	uint32_t used;
	unsigned len = min_u(uc_xs_conn_wants(&ring->conn), XENSTORE_RING_SIZE - at);

	if (!len)
		return false;
	/* Pairs with the guest's write barrier between filling req[] and req_prod. */
	used = __atomic_load_n(&page->req_prod, __ATOMIC_ACQUIRE) - ring->req_cons;
	if (!used_ok(ring, used) || !used)
		return false;
	len = min_u(len, used);
	memcpy(bytes, page->req + at, len);
	ring->req_cons += len;
	/* Release: the guest overwrites req[] once it sees this; pairs with its barrier after
	 * reading req_cons. */
	__atomic_store_n(&page->req_cons, ring->req_cons, __ATOMIC_RELEASE);
	uc_xs_conn_put(&ring->conn, bytes, len);
	return true;
}

/* Move up to one contiguous piece of one message into the ring. */
static bool pump_out(struct uc_xs_ring *ring)
{
	struct xenstore_domain_interface *page = ring->page;
	unsigned at = MASK_XENSTORE_IDX(ring->rsp_prod);
	const void *bytes;
	uint32_t used;
	unsigned len = uc_xs_conn_peek(&ring->conn, &bytes);

	if (!len)
		return false;
	/* Acquire: no byte of rsp[] is overwritten before the guest has said that it read it;
	 * pairs with its barrier before rsp_cons. */
	used = ring->rsp_prod - __atomic_load_n(&page->rsp_cons, __ATOMIC_ACQUIRE);
	if (!used_ok(ring, used))
		return false;
	len = min_u(len, min_u(XENSTORE_RING_SIZE - used, XENSTORE_RING_SIZE - at));
	if (!len)
		return false;
	memcpy(page->rsp + at, bytes, len);
	uc_xs_conn_sent(&ring->conn, len);
	ring->rsp_prod += len;
	/* Release: rsp[] is filled before the guest sees the index; pairs with its read barrier
	 * after rsp_prod. */
	__atomic_store_n(&page->rsp_prod, ring->rsp_prod, __ATOMIC_RELEASE);
	return true;
}

static bool pump(struct uc_xs_ring *ring)
{
	bool moved = false;

	for (unsigned i = 0; i < ROUNDS_MAX; i++) {
		bool out = pump_out(ring), in = pump_in(ring);

		if (!out && !in)
			break;
		moved = true;
	}
	if (moved)
		ring->ops->notify(ring->ctx);
	return moved;
}

bool uc_xs_ring_run(struct uc_xs_ring *ring)
{
	bool moved;

	ring->running = true;
	moved = pump(ring);
	ring->running = false;
	return moved;
}

/* An event from outside a run. Requests wait for the guest's own kick. */
static void on_output(void *ctx)
{
	struct uc_xs_ring *ring = ctx;
	bool moved = false;

	if (ring->running)
		return;
	while (pump_out(ring)) /* ends: nothing is queued meanwhile */
		moved = true;
	if (moved)
		ring->ops->notify(ring->ctx);
}

static void log_text(void *ctx, const char *text)
{
	struct uc_xs_ring *ring = ctx;

	if (ring->ops->log)
		ring->ops->log(ring->ctx, text);
}

void uc_xs_ring_init(struct uc_xs_ring *ring, struct uc_store *st, uint16_t domid,
		     struct xenstore_domain_interface *page, const struct uc_xs_ring_ops *ops,
		     void *ctx)
{
	memset(ring, 0, sizeof(*ring));
	memset(page, 0, sizeof(*page));
	ring->page = page;
	ring->ops = ops;
	ring->ctx = ctx;
	uc_xs_conn_init(&ring->conn, st, domid);
	ring->conn.on_output = on_output;
	ring->conn.log = log_text;
	ring->conn.ctx = ring;
}

void uc_xs_ring_destroy(struct uc_xs_ring *ring)
{
	uc_xs_conn_destroy(&ring->conn);
}
