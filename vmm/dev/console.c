/* SPDX-License-Identifier: MIT */
#include "vmm/dev/console.h"

#include <errno.h>
#include <string.h>

static size_t min_z(size_t a, size_t b)
{
	return a < b ? a : b;
}

void uc_console_init(struct uc_console *c, struct xencons_interface *page,
		     const struct uc_console_ops *ops, void *ctx)
{
	*c = (struct uc_console){.page = page, .ops = ops, .ctx = ctx};
	page->in_cons = page->in_prod = 0;
	page->out_cons = page->out_prod = 0;
}

static int broken(struct uc_console *c)
{
	if (!c->broken && c->ops->log)
		c->ops->log(c->ctx, "console: the guest wrote an impossible ring index; its "
				    "console is closed");
	c->broken = true;
	return -EPROTO;
}

/* Offer one contiguous piece to the sink; the bytes taken, or -EAGAIN. */
static ssize_t give(struct uc_console *c, size_t len)
{
	char bytes[sizeof(c->page->out)]; /* a copy: the guest may go on writing to the ring */
	size_t at = MASK_XENCONS_IDX(c->out_cons, c->page->out);
	ssize_t n;

	len = min_z(len, sizeof(c->page->out) - at);
	memcpy(bytes, c->page->out + at, len);
	if (c->sink_gone)
		return (ssize_t)len;
	n = c->ops->write(c->ctx, bytes, len);
	if (n == 0 || n == -EAGAIN || n == -EWOULDBLOCK || n == -EINTR)
		return -EAGAIN;
	if (n < 0)
		c->sink_gone = true;
	return n < 0 ? (ssize_t)len : (ssize_t)min_z((size_t)n, len);
}

static void publish_out(struct uc_console *c, uint32_t moved)
{
	if (!moved)
		return;
	/* Release: the guest overwrites out[] once it sees this; pairs with its barrier after
	 * reading out_cons. */
	__atomic_store_n(&c->page->out_cons, c->out_cons, __ATOMIC_RELEASE);
	c->ops->notify(c->ctx);
}

int uc_console_output(struct uc_console *c)
{
	uint32_t used, moved = 0;
	ssize_t n = 0;

	if (c->broken)
		return -EPROTO;
	/* Pairs with the guest's write barrier between filling out[] and out_prod. */
	used = __atomic_load_n(&c->page->out_prod, __ATOMIC_ACQUIRE) - c->out_cons;
	if (used > sizeof(c->page->out))
		return broken(c);
	while (moved < used) {
		n = give(c, used - moved);
		if (n < 0)
			break;
		c->out_cons += (uint32_t)n;
		moved += (uint32_t)n;
	}
	publish_out(c, moved);
	return n < 0 ? (int)n : (int)moved;
}

static void fill_in(struct uc_console *c, const char *bytes, size_t len)
{
	size_t at = MASK_XENCONS_IDX(c->in_prod, c->page->in);
	size_t first = min_z(len, sizeof(c->page->in) - at);

	memcpy(c->page->in + at, bytes, first);
	memcpy(c->page->in, bytes + first, len - first);
	c->in_prod += (uint32_t)len;
	/* Release: in[] is filled before the guest sees the index; pairs with its barrier after
	 * reading in_prod. */
	__atomic_store_n(&c->page->in_prod, c->in_prod, __ATOMIC_RELEASE);
	c->ops->notify(c->ctx);
}

int uc_console_input(struct uc_console *c, const void *buf, size_t len)
{
	uint32_t used;

	if (c->broken)
		return -EPROTO;
	/* Acquire: nothing in in[] is overwritten before the guest has said that it read it;
	 * pairs with its barrier before in_cons. */
	used = c->in_prod - __atomic_load_n(&c->page->in_cons, __ATOMIC_ACQUIRE);
	if (used > sizeof(c->page->in))
		return broken(c);
	len = min_z(len, sizeof(c->page->in) - used);
	if (len)
		fill_in(c, buf, len);
	return (int)len;
}
