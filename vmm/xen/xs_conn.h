/* SPDX-License-Identifier: MIT */
/*
 * One guest's connection to the xenstore as a stream of bytes: requests in, replies and watch
 * events out. Knows the wire protocol (xs_wire.h), not how the bytes travel (xs_ring.h).
 * A header is copied before it is looked at; what is queued for a guest that does not read is
 * bounded: requests are not taken while UC_XS_REPLIES_MAX replies wait, and an event is dropped
 * when it already waits or when UC_XS_EVENTS_MAX do.
 *
 * Same thread as the store.
 */
#ifndef UPCALL_VMM_XEN_XS_CONN_H
#define UPCALL_VMM_XEN_XS_CONN_H

#include <stdint.h>
#include <xen/io/xs_wire.h>

#include "vmm/xen/store.h"

#define UC_XS_REPLIES_MAX 4u
#define UC_XS_EVENTS_MAX  512u

struct uc_xs_msg;

struct uc_xs_conn {
	struct uc_store *st;
	struct uc_store_client client;
	bool broken; /* takes and gives nothing more */
	bool dropping;
	unsigned n_replies, n_events; /* queued */
	unsigned in_used;	      /* bytes of hdr, then of payload, that have come */
	unsigned out_sent;	      /* bytes of the first queued message that have gone */
	struct xsd_sockmsg hdr;
	char payload[XENSTORE_PAYLOAD_MAX + 1]; /* + a NUL of ours */
	TAILQ_HEAD(, uc_xs_msg) out;
	void (*on_output)(void *ctx);		  /* an event was queued; may be NULL */
	void (*log)(void *ctx, const char *text); /* at most once per incident; may be NULL */
	void *ctx;
};

void uc_xs_conn_init(struct uc_xs_conn *conn, struct uc_store *st, uint16_t domid);
void uc_xs_conn_destroy(struct uc_xs_conn *conn);

/* The connection is unusable from here on; `text` says why. */
void uc_xs_conn_break(struct uc_xs_conn *conn, const char *text);

/* How many bytes it wants now: up to the end of the current header or payload; 0: wait. */
unsigned uc_xs_conn_wants(const struct uc_xs_conn *conn);
/* Take `len` <= uc_xs_conn_wants() bytes; a complete request is carried out. */
void uc_xs_conn_put(struct uc_xs_conn *conn, const void *bytes, unsigned len);

/* The bytes to send next (to the end of one message; 0: none), and: `len` of them are sent. */
unsigned uc_xs_conn_peek(const struct uc_xs_conn *conn, const void **bytes);
void uc_xs_conn_sent(struct uc_xs_conn *conn, unsigned len);

/* For xs_request.c: queue the answer to the current request. */
void uc_xs_conn_reply(struct uc_xs_conn *conn, const void *data, size_t len);

/* Carry out the request in hdr and payload: reply and return 0, or -errno (xs_request.c). */
int uc_xs_request(struct uc_xs_conn *conn);

#endif
