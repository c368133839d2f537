/* SPDX-License-Identifier: MIT */
/*
 * A guest on a thread of its own, with the barriers of Linux' drivers, against the back ends:
 * what passes is complete and in order. Each test moves bytes one way only, so that under the
 * thread sanitizer nothing but that way's two indices orders the accesses to the ring, and a
 * relaxed one is a reported race.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/dev/console.h"
#include "vmm/xen/store_guest.h"
#include "vmm/xen/xs_ring.h"

#define BYTES  (256u << 10)
#define EVENTS 5000u

static uint32_t load(uint32_t *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static void store(uint32_t *index, uint32_t value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}

static char byte_at(size_t i)
{
	return (char)(i % 251 ^ i / 4093);
}

static void *console_writer(void *arg)
{
	struct xencons_interface *page = arg;

	for (size_t sent = 0; sent < BYTES; sched_yield()) {
		uint32_t prod = page->out_prod, cons = load(&page->out_cons);

		while (sent < BYTES && prod - cons < sizeof(page->out))
			page->out[MASK_XENCONS_IDX(prod++, page->out)] = byte_at(sent++);
		store(&page->out_prod, prod);
	}
	return NULL;
}

static void *console_reader(void *arg)
{
	struct xencons_interface *page = arg;
	size_t wrong = 0;

	for (size_t got = 0; got < BYTES; sched_yield()) {
		uint32_t cons = page->in_cons, prod = load(&page->in_prod);

		while (cons != prod)
			wrong += page->in[MASK_XENCONS_IDX(cons++, page->in)] != byte_at(got++);
		store(&page->in_cons, cons);
	}
	return (void *)wrong;
}

struct sink {
	size_t n, wrong;
};

static ssize_t sink_write(void *ctx, const void *buf, size_t len)
{
	struct sink *sink = ctx;

	for (size_t i = 0; i < len; i++)
		sink->wrong += ((const char *)buf)[i] != byte_at(sink->n++);
	return (ssize_t)len;
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static const struct uc_console_ops console_ops = {.write = sink_write, .notify = nothing};

static void console_output_of_a_guest_on_another_cpu(void **state)
{
	struct xencons_interface *page = malloc(sizeof(*page));
	struct uc_console c;
	struct sink sink = {0};
	pthread_t guest;
	(void)state;

	uc_console_init(&c, page, &console_ops, &sink);
	assert_int_equal(pthread_create(&guest, NULL, console_writer, page), 0);
	for (; sink.n < BYTES; sched_yield())
		assert_true(uc_console_output(&c) >= 0);
	pthread_join(guest, NULL);
	assert_int_equal(sink.wrong, 0);
	free(page);
}

static void console_input_of_a_guest_on_another_cpu(void **state)
{
	struct xencons_interface *page = malloc(sizeof(*page));
	char *input = malloc(BYTES);
	struct uc_console c;
	pthread_t guest;
	void *wrong;
	(void)state;

	for (size_t i = 0; i < BYTES; i++)
		input[i] = byte_at(i);
	uc_console_init(&c, page, &console_ops, NULL);
	assert_int_equal(pthread_create(&guest, NULL, console_reader, page), 0);
	for (size_t put = 0; put < BYTES; sched_yield()) {
		int n = uc_console_input(&c, input + put, BYTES - put);

		assert_true(n >= 0);
		put += (size_t)n;
	}
	pthread_join(guest, &wrong);
	assert_null(wrong);
	free(input);
	free(page);
}

static void xs_write(struct xenstore_domain_interface *page, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		uint32_t prod = page->req_prod, cons = load(&page->req_cons);

		for (; len && prod - cons < XENSTORE_RING_SIZE; len--)
			page->req[MASK_XENSTORE_IDX(prod++)] = *at++;
		store(&page->req_prod, prod);
		sched_yield();
	}
}

static void xs_read(struct xenstore_domain_interface *page, void *bytes, size_t len)
{
	char *at = bytes;

	while (len) {
		uint32_t cons = page->rsp_cons, prod = load(&page->rsp_prod);

		for (; len && cons != prod; len--)
			*at++ = page->rsp[MASK_XENSTORE_IDX(cons++)];
		store(&page->rsp_cons, cons);
		sched_yield();
	}
}

struct xs {
	struct uc_store st;
	struct xenstore_domain_interface *page;
	struct uc_xs_ring ring;
	size_t wrong; /* the guest's */
};

static void xs_start(struct xs *xs)
{
	static const struct uc_store_guest desc = {.domid = 1, .name = "thread", .n_vcpus = 1};
	static const struct uc_xs_ring_ops ops = {.notify = nothing};

	memset(xs, 0, sizeof(*xs));
	xs->page = malloc(sizeof(*xs->page));
	assert_int_equal(uc_store_init(&xs->st), 0);
	assert_int_equal(uc_store_populate_guest(&xs->st, &desc), 0);
	uc_xs_ring_init(&xs->ring, &xs->st, 1, xs->page, &ops, NULL);
}

static void xs_stop(struct xs *xs)
{
	uc_xs_ring_destroy(&xs->ring);
	uc_store_destroy(&xs->st);
	free(xs->page);
}

/* One byte short of a request: it passes through the ring four times over, without a reply. */
static void *xs_requester(void *arg)
{
	struct xs *xs = arg;
	struct xsd_sockmsg hdr = {.type = XS_READ, .len = XENSTORE_PAYLOAD_MAX};
	char payload[XENSTORE_PAYLOAD_MAX - 1];

	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = byte_at(i);
	xs_write(xs->page, &hdr, sizeof(hdr));
	xs_write(xs->page, payload, sizeof(payload));
	return NULL;
}

static void xenstore_requests_of_a_guest_on_another_cpu(void **state)
{
	const unsigned all = sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX - 1;
	struct xs xs;
	pthread_t guest;
	(void)state;

	xs_start(&xs);
	assert_int_equal(pthread_create(&guest, NULL, xs_requester, &xs), 0);
	for (; xs.ring.conn.in_used < all; sched_yield())
		uc_xs_ring_run(&xs.ring);
	pthread_join(guest, NULL);
	for (size_t i = 0; i < XENSTORE_PAYLOAD_MAX - 1; i++)
		assert_int_equal(xs.ring.conn.payload[i], byte_at(i));
	xs_stop(&xs);
}

/* Watch events, which need no request. */
static void *xs_listener(void *arg)
{
	static const char want[] = "name\0token";
	struct xs *xs = arg;
	struct xsd_sockmsg hdr;
	char body[sizeof(want)];

	for (uint32_t i = 0; i < EVENTS; i++) {
		xs_read(xs->page, &hdr, sizeof(hdr));
		if (hdr.type != XS_WATCH_EVENT || hdr.len != sizeof(want))
			return (void *)1; /* out of step: nothing after it would make sense */
		xs_read(xs->page, body, sizeof(body));
		xs->wrong += memcmp(body, want, sizeof(want)) != 0;
	}
	return NULL;
}

static void xenstore_events_for_a_guest_on_another_cpu(void **state)
{
	struct xsd_sockmsg hdr = {.type = XS_WATCH, .len = sizeof("name\0token")};
	struct xsd_sockmsg reply;
	char body[sizeof("name\0token")];
	struct xs xs;
	pthread_t guest;
	void *lost;
	(void)state;

	xs_start(&xs);
	xs_write(xs.page, &hdr, sizeof(hdr));
	xs_write(xs.page, "name\0token", sizeof("name\0token"));
	while (uc_xs_ring_run(&xs.ring))
		;
	xs_read(xs.page, &reply, sizeof(reply));
	assert_int_equal(reply.type, XS_WATCH);
	xs_read(xs.page, body, reply.len);
	assert_int_equal(pthread_create(&guest, NULL, xs_listener, &xs), 0);
	/* The first event is there already; each next one once there is none behind the ring. */
	for (uint32_t i = 1; i < EVENTS; sched_yield()) {
		uc_xs_ring_run(&xs.ring);
		if (xs.ring.conn.n_events)
			continue;
		assert_int_equal(uc_store_write(&xs.st, "/local/domain/1/name", "x"), 0);
		i++;
	}
	while (xs.ring.conn.n_events)
		uc_xs_ring_run(&xs.ring);
	pthread_join(guest, &lost);
	assert_null(lost);
	assert_int_equal(xs.wrong, 0);
	xs_stop(&xs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(console_output_of_a_guest_on_another_cpu),
		cmocka_unit_test(console_input_of_a_guest_on_another_cpu),
		cmocka_unit_test(xenstore_requests_of_a_guest_on_another_cpu),
		cmocka_unit_test(xenstore_events_for_a_guest_on_another_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
