/* SPDX-License-Identifier: MIT */
/*
 * The guest's end of a xenstore ring, for tests: a store with guest 1 populated as the VMM does
 * it, a ring page, and helpers that send a request and take messages off the ring.
 */
#ifndef TESTS_UNIT_XEN_XS_GUEST_H
#define TESTS_UNIT_XEN_XS_GUEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/xen/store.h"
#include "vmm/xen/store_guest.h"
#include "vmm/xen/xs_ring.h"

#define DOMID 1
#define HOME  "/local/domain/1"
#define UUID  "00112233-4455-4677-8899-aabbccddeeff"

struct guest {
	struct uc_store st;
	struct xenstore_domain_interface
		*page; /* its own allocation: ASan sees an access outside */
	struct uc_xs_ring ring;
	unsigned notified, logged;
	uint32_t req_id;
	/* events that came before a reply, oldest first */
	unsigned n_stashed;
	struct {
		struct xsd_sockmsg hdr;
		char body[128];
	} stash[32];
	/* the last message taken */
	struct xsd_sockmsg hdr;
	char body[XENSTORE_PAYLOAD_MAX + 1];
};

void guest_start(struct guest *g);
void guest_stop(struct guest *g);

/* Put raw bytes on the ring, running the server (and keeping its output) while it is full. */
void guest_push(struct guest *g, const void *bytes, size_t len);
/* Send a request; `len` bytes of payload. */
void guest_send(struct guest *g, uint32_t type, uint32_t tx, const void *payload, size_t len);
/* Take the next message, stashed ones first, into hdr and body; false when there is none. */
bool guest_take(struct guest *g);

/*
 * Send, and take messages up to the reply. Events come before the reply to the request that
 * caused them, as from xenstored; they are stashed for guest_take().
 */
void guest_call(struct guest *g, uint32_t type, uint32_t tx, const void *payload, size_t len);

/* Literals with embedded NULs, the last one included. */
#define CALL(g, type, tx, lit) guest_call(g, type, tx, lit, sizeof(lit))
#define RAW(g, type, tx, lit)  guest_call(g, type, tx, lit, sizeof(lit) - 1)

#define assert_body(g, t, lit)                                                                     \
	do {                                                                                       \
		assert_int_equal((g)->hdr.type, t);                                                \
		assert_int_equal((g)->hdr.len, sizeof(lit) - 1);                                   \
		assert_memory_equal((g)->body, lit, sizeof(lit) - 1);                              \
	} while (0)
#define assert_ok(g, t)	     assert_body(g, t, "OK\0")
#define assert_error(g, err) assert_body(g, XS_ERROR, err "\0")
#define assert_event(g, path_and_token)                                                            \
	do {                                                                                       \
		assert_true(guest_take(g));                                                        \
		assert_body(g, XS_WATCH_EVENT, path_and_token "\0");                               \
		assert_int_equal((g)->hdr.req_id, 0);                                              \
		assert_int_equal((g)->hdr.tx_id, 0);                                               \
	} while (0)
#define assert_quiet(g) assert_false(guest_take(g))

/* Start a transaction and return its id. */
uint32_t guest_tx(struct guest *g);

#endif
