/* SPDX-License-Identifier: MIT */
/* The hvc0 rings: order and completeness under back-pressure, wrap-around, hostile indices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/dev/console.h"

#define MIB (1u << 20)

struct fixture {
	struct xencons_interface *page; /* its own allocation: ASan sees an access outside */
	struct uc_console c;
	unsigned notified, logged;
	char *sink; /* MIB + 4096 bytes */
	size_t sunk;
	size_t take_max; /* the sink takes so many bytes of one call, */
	size_t room;	 /* and so many in all before -EAGAIN */
	int error;	 /* or fails with this */
};

static ssize_t sink_write(void *ctx, const void *buf, size_t len)
{
	struct fixture *f = ctx;

	if (f->error)
		return -f->error;
	if (!f->room)
		return -EAGAIN;
	len = len < f->take_max ? len : f->take_max;
	len = len < f->room ? len : f->room;
	memcpy(f->sink + f->sunk, buf, len);
	f->sunk += len;
	f->room -= len;
	return (ssize_t)len;
}

static void on_notify(void *ctx)
{
	((struct fixture *)ctx)->notified++;
}

static void on_log(void *ctx, const char *text)
{
	(void)text;
	((struct fixture *)ctx)->logged++;
}

static const struct uc_console_ops ops = {sink_write, on_notify, on_log};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->page = malloc(sizeof(*f->page));
	f->sink = malloc(MIB + 4096);
	f->take_max = f->room = SIZE_MAX;
	uc_console_init(&f->c, f->page, &ops, f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->page);
	free(f->sink);
	free(f);
	return 0;
}

/* As Linux writes: what fits, then the index. */
static size_t guest_write(struct fixture *f, const char *buf, size_t len)
{
	uint32_t prod = f->page->out_prod, cons = f->page->out_cons;
	size_t n = 0;

	for (; n < len && prod - cons < sizeof(f->page->out); n++)
		f->page->out[MASK_XENCONS_IDX(prod++, f->page->out)] = buf[n];
	f->page->out_prod = prod;
	return n;
}

static size_t guest_read(struct fixture *f, char *buf, size_t len)
{
	uint32_t prod = f->page->in_prod, cons = f->page->in_cons;
	size_t n = 0;

	for (; n < len && cons != prod; n++)
		buf[n] = f->page->in[MASK_XENCONS_IDX(cons++, f->page->in)];
	f->page->in_cons = cons;
	return n;
}

/* Neither period divides a ring's size, so that a displaced byte shows. */
static char *pattern(void)
{
	char *bytes = malloc(MIB);

	for (size_t i = 0; i < MIB; i++)
		bytes[i] = (char)(i % 251 ^ i / 4093);
	return bytes;
}

static void output_reaches_the_sink_and_the_guest_is_told(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(uc_console_output(&f->c), 0);
	assert_int_equal(f->notified, 0);
	assert_int_equal(guest_write(f, "hello", 5), 5);
	assert_int_equal(uc_console_output(&f->c), 5);
	assert_memory_equal(f->sink, "hello", 5);
	assert_int_equal(f->page->out_cons, 5);
	assert_int_equal(f->notified, 1);
}

static void a_mebibyte_of_output_arrives_through_a_slow_sink(void **state)
{
	struct fixture *f = *state;
	char *bytes = pattern();
	size_t sent = 0;

	f->room = 0;
	f->take_max = 7;
	while (f->sunk < MIB) {
		sent += guest_write(f, bytes + sent, sent + 333 < MIB ? 333 : MIB - sent);
		f->room = 1 + f->sunk % 200;
		uc_console_output(&f->c);
	}
	assert_int_equal(sent, MIB);
	assert_memory_equal(f->sink, bytes, MIB);
	free(bytes);
}

static void what_the_sink_refuses_stays_in_the_ring(void **state)
{
	struct fixture *f = *state;
	char *bytes = pattern();

	assert_int_equal(guest_write(f, bytes, 4096), 2048);
	f->room = 100;
	assert_int_equal(uc_console_output(&f->c), -EAGAIN);
	assert_int_equal(f->page->out_cons, 100);
	assert_int_equal(f->notified, 1); /* it has room for 100 bytes */
	assert_int_equal(uc_console_output(&f->c), -EAGAIN);
	assert_int_equal(f->notified, 1);
	f->room = SIZE_MAX;
	assert_int_equal(uc_console_output(&f->c), 1948);
	assert_memory_equal(f->sink, bytes, 2048);
	free(bytes);
}

static void a_failed_sink_does_not_block_the_guest(void **state)
{
	struct fixture *f = *state;

	f->error = EPIPE;
	assert_int_equal(guest_write(f, "lost", 4), 4);
	assert_int_equal(uc_console_output(&f->c), 4);
	f->error = 0;
	assert_int_equal(guest_write(f, "lost too", 8), 8);
	assert_int_equal(uc_console_output(&f->c), 8);
	assert_int_equal(f->sunk, 0);
	assert_false(f->c.broken);
}

static void a_big_paste_loses_nothing(void **state)
{
	struct fixture *f = *state;
	char *bytes = pattern(), *got = malloc(MIB);
	size_t put = 0, taken = 0;

	while (taken < MIB) {
		int n = uc_console_input(&f->c, bytes + put, MIB - put);

		assert_in_range(n, 0, 1024);
		put += (size_t)n;
		taken += guest_read(f, got + taken, 1 + taken % 97);
	}
	assert_int_equal(put, MIB);
	assert_memory_equal(got, bytes, MIB);
	free(bytes);
	free(got);
}

static void a_full_input_ring_takes_nothing_and_stays_quiet(void **state)
{
	struct fixture *f = *state;
	char *bytes = pattern();

	assert_int_equal(uc_console_input(&f->c, bytes, 5000), 1024);
	assert_int_equal(f->notified, 1);
	assert_int_equal(uc_console_input(&f->c, bytes, 1), 0);
	assert_int_equal(f->notified, 1);
	free(bytes);
}

static void indices_wrap_around(void **state)
{
	struct fixture *f = *state;
	char *bytes = pattern(), got[1000];
	const uint32_t start = UINT32_MAX - 500;

	f->page->out_prod = f->page->out_cons = f->c.out_cons = start;
	f->page->in_prod = f->page->in_cons = f->c.in_prod = start;
	assert_int_equal(guest_write(f, bytes, 1000), 1000);
	assert_int_equal(uc_console_output(&f->c), 1000);
	assert_memory_equal(f->sink, bytes, 1000);
	assert_int_equal(uc_console_input(&f->c, bytes, 1000), 1000);
	assert_int_equal(guest_read(f, got, 1000), 1000);
	assert_memory_equal(got, bytes, 1000);
	assert_int_equal(f->page->in_prod, start + 1000);
	free(bytes);
}

static void an_impossible_output_index_ends_the_console(void **state)
{
	static const uint32_t lies[] = {2049, 4096, 0x7fffffff, 0x80000000, UINT32_MAX};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct fixture *f;

		setup(state);
		f = *state;
		f->page->out_prod = lies[i];
		assert_int_equal(uc_console_output(&f->c), -EPROTO);
		f->page->out_prod = 0;
		assert_int_equal(uc_console_output(&f->c), -EPROTO);
		assert_int_equal(uc_console_input(&f->c, "x", 1), -EPROTO);
		assert_int_equal(f->logged, 1);
		assert_int_equal(f->sunk, 0);
		teardown(state);
	}
}

static void an_impossible_input_index_ends_the_console(void **state)
{
	static const uint32_t lies[] = {1, 1024, 0x7fffffff, 0x80000000, UINT32_MAX - 1024};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct fixture *f;

		setup(state);
		f = *state;
		f->page->in_cons = lies[i];
		assert_int_equal(uc_console_input(&f->c, "x", 1), -EPROTO);
		assert_int_equal(uc_console_output(&f->c), -EPROTO);
		assert_int_equal(f->logged, 1);
		teardown(state);
	}
}

static void the_back_ends_own_indices_are_not_read_back(void **state)
{
	struct fixture *f = *state;
	char got[1];

	f->page->out_cons = 777;
	f->page->in_prod = 888;
	f->page->out[0] = 'o';
	f->page->out_prod = 1;
	assert_int_equal(uc_console_output(&f->c), 1);
	assert_int_equal(f->sink[0], 'o');
	assert_int_equal(f->page->out_cons, 1);
	assert_int_equal(uc_console_input(&f->c, "i", 1), 1);
	assert_int_equal(f->page->in_prod, 1);
	assert_int_equal(guest_read(f, got, 1), 1);
	assert_int_equal(got[0], 'i');
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(output_reaches_the_sink_and_the_guest_is_told),
		T(a_mebibyte_of_output_arrives_through_a_slow_sink),
		T(what_the_sink_refuses_stays_in_the_ring),
		T(a_failed_sink_does_not_block_the_guest),
		T(a_big_paste_loses_nothing),
		T(a_full_input_ring_takes_nothing_and_stays_quiet),
		T(indices_wrap_around),
		cmocka_unit_test(an_impossible_output_index_ends_the_console),
		cmocka_unit_test(an_impossible_input_index_ends_the_console),
		T(the_back_ends_own_indices_are_not_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
