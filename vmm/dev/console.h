/* SPDX-License-Identifier: MIT */
/*
 * The back end of hvc0: one page shared with the guest (<xen/io/console.h>), 2048 bytes of
 * output and 1024 of input. The guest is hostile: of the page only out[], out_prod and in_cons
 * are read, each index once per call; our own indices are kept outside it. An impossible index
 * ends the console for good.
 *
 * Linux busy-waits (SCHEDOP_yield) while its output ring is full, so output must be taken as
 * soon as the sink accepts it; a sink that has failed swallows it instead of blocking the guest.
 *
 * Used by the VMM's control thread only (console_stdio.h, and others to come).
 */
#ifndef UPCALL_VMM_DEV_CONSOLE_H
#define UPCALL_VMM_DEV_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <xen/io/console.h>

struct uc_console_ops {
	/*
	 * Take up to `len` bytes of output; returns how many. -EAGAIN: none now, the caller of
	 * uc_console_output() tries again later. Another negative: the sink is gone.
	 */
	ssize_t (*write)(void *ctx, const void *buf, size_t len);
	void (*notify)(void *ctx);		  /* raise the guest's console port */
	void (*log)(void *ctx, const char *text); /* at most once per console; may be NULL */
};

struct uc_console {
	struct xencons_interface *page;
	const struct uc_console_ops *ops;
	void *ctx;
	uint32_t out_cons, in_prod; /* ours; the page's copies are only for the guest */
	bool broken;
	bool sink_gone;
};

/* `page` is set to two empty rings. */
void uc_console_init(struct uc_console *c, struct xencons_interface *page,
		     const struct uc_console_ops *ops, void *ctx);

/*
 * Move output to the sink: after the guest's kick, and when the sink takes bytes again. Bounded:
 * one ring's worth. Returns the bytes moved; -EAGAIN when some remain that the sink refused;
 * -EPROTO when broken.
 */
int uc_console_output(struct uc_console *c);

/*
 * Put as many bytes as fit into the guest's input ring and return their count; the caller keeps
 * the rest and tries again after the guest's next kick. -EPROTO when broken.
 */
int uc_console_input(struct uc_console *c, const void *buf, size_t len);

#endif
