/* SPDX-License-Identifier: MIT */
/*
 * A guest on a thread of its own, with the barriers of Linux' drivers, against the back ends:
 * what passes is complete and in order, and the thread sanitizer finds no unordered access to
 * ring bytes (it fails when an acquire or release of the back end is made relaxed).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/dev/console.h"
#include "vmm/xen/store_guest.h"
#include "vmm/xen/xs_ring.h"

#define BYTES	 (256u << 10)
#define REQUESTS 5000u

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

static void *console_guest(void *arg)
{
	struct xencons_interface *page = arg;
	size_t sent = 0, got = 0, wrong = 0;

	while (sent < BYTES || got < BYTES) {
		uint32_t prod = page->out_prod, cons = load(&page->out_cons);

		while (sent < BYTES && prod - cons < sizeof(page->out))
			page->out[MASK_XENCONS_IDX(prod++, page->out)] = byte_at(sent++);
		store(&page->out_prod, prod);
		cons = page->in_cons;
		prod = load(&page->in_prod);
		while (cons != prod)
			wrong += page->in[MASK_XENCONS_IDX(cons++, page->in)] != byte_at(got++);
		store(&page->in_cons, cons);
		sched_yield();
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

static void console_with_a_guest_on_another_cpu(void **state)
{
	static const struct uc_console_ops ops = {.write = sink_write, .notify = nothing};
	struct xencons_interface *page = malloc(sizeof(*page));
	struct uc_console c;
	struct sink sink = {0};
	char *input = malloc(BYTES);
	pthread_t guest;
	void *wrong;
	size_t put = 0;
	(void)state;

	for (size_t i = 0; i < BYTES; i++)
		input[i] = byte_at(i);
	uc_console_init(&c, page, &ops, &sink);
	assert_int_equal(pthread_create(&guest, NULL, console_guest, page), 0);
	while (sink.n < BYTES || put < BYTES) {
		int n = uc_console_input(&c, input + put, BYTES - put);

		assert_true(n >= 0);
		put += (size_t)n;
		assert_true(uc_console_output(&c) >= 0);
		sched_yield();
	}
	pthread_join(guest, &wrong);
	assert_null(wrong);
	assert_int_equal(sink.wrong, 0);
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

struct xs_guest {
	struct xenstore_domain_interface *page;
	bool done;
	size_t wrong;
};

static void *xs_guest(void *arg)
{
	struct xs_guest *g = arg;
	struct xsd_sockmsg hdr = {.type = XS_READ, .len = sizeof("name")};
	char body[XENSTORE_PAYLOAD_MAX];

	for (uint32_t i = 0; i < REQUESTS; i++) {
		hdr = (struct xsd_sockmsg){.type = XS_READ, .req_id = i, .len = sizeof("name")};
		xs_write(g->page, &hdr, sizeof(hdr));
		xs_write(g->page, "name", sizeof("name"));
		xs_read(g->page, &hdr, sizeof(hdr));
		g->wrong += hdr.type != XS_READ || hdr.req_id != i || hdr.len != 6;
		if (hdr.len > sizeof(body))
			break;
		xs_read(g->page, body, hdr.len);
		g->wrong += memcmp(body, "thread", 6) != 0;
	}
	__atomic_store_n(&g->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void xenstore_with_a_guest_on_another_cpu(void **state)
{
	static const struct uc_store_guest desc = {.domid = 1, .name = "thread", .n_vcpus = 1};
	static const struct uc_xs_ring_ops ops = {.notify = nothing};
	struct xs_guest g = {.page = malloc(sizeof(*g.page))};
	struct uc_xs_ring ring;
	struct uc_store st;
	pthread_t guest;
	(void)state;

	assert_int_equal(uc_store_init(&st), 0);
	assert_int_equal(uc_store_populate_guest(&st, &desc), 0);
	uc_xs_ring_init(&ring, &st, 1, g.page, &ops, NULL);
	assert_int_equal(pthread_create(&guest, NULL, xs_guest, &g), 0);
	while (!__atomic_load_n(&g.done, __ATOMIC_ACQUIRE)) {
		uc_xs_ring_run(&ring);
		sched_yield();
	}
	pthread_join(guest, NULL);
	assert_int_equal(g.wrong, 0);
	uc_xs_ring_destroy(&ring);
	uc_store_destroy(&st);
	free(g.page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(console_with_a_guest_on_another_cpu),
		cmocka_unit_test(xenstore_with_a_guest_on_another_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
