/* SPDX-License-Identifier: MIT */
/* The back end's half of a ring, alone: what its users never do at once, but a guest may provoke.
 */
#include "fixture.h"

#include <errno.h>

#include "vmm/xen/ring.h"

#define SLOT_BYTES 8

static struct {
	struct uc_ring_page head;
	uint8_t rest[4096 - sizeof(struct uc_ring_page)];
} page __attribute__((aligned(4096)));
static struct uc_ring ring;

static int setup(void **state)
{
	(void)state;
	page = (typeof(page)){.head.rsp_event.raw = 1};
	uc_ring_init(&ring, &page, SLOT_BYTES);
	return 0;
}

static void show(uint32_t prod)
{
	page.head.req_prod.raw = prod;
}

static void sizes(void **state)
{
	(void)state;
	assert_int_equal(ring.size, 256);
	uc_ring_init(&ring, &page, 12);
	assert_int_equal(ring.size, 256);
	uc_ring_init(&ring, &page, 112); /* xen-blkback's */
	assert_int_equal(ring.size, 32);
}

static void indices_wrap(void **state)
{
	uint64_t request = 0;

	(void)state;
	page.head.rsp_prod.raw = UINT32_MAX - 2;
	uc_ring_init(&ring, &page, SLOT_BYTES);
	show(3);
	assert_int_equal(uc_ring_requests(&ring), 6);
	for (int i = 0; i < 6; i++) {
		uc_ring_take(&ring, 1);
		uc_ring_respond(&ring, &request, sizeof(request));
	}
	page.head.rsp_event.raw = 0;
	assert_true(uc_ring_push(&ring));
	assert_int_equal(page.head.rsp_prod.raw, 3);
	assert_int_equal(uc_ring_requests(&ring), 0);
}

/* What is taken but not answered keeps its slots. */
static void unanswered_requests_count(void **state)
{
	(void)state;
	show(256);
	assert_int_equal(uc_ring_requests(&ring), 256);
	uc_ring_take(&ring, 100);
	assert_int_equal(uc_ring_requests(&ring), 156);
	show(257);
	assert_int_equal(uc_ring_requests(&ring), -EPROTO);
	show(256);
	assert_int_equal(uc_ring_requests(&ring), -EPROTO); /* for ever */
}

static void an_index_behind_what_was_taken(void **state)
{
	(void)state;
	show(4);
	assert_int_equal(uc_ring_requests(&ring), 4);
	uc_ring_take(&ring, 4);
	show(3);
	assert_int_equal(uc_ring_requests(&ring), -EPROTO);
}

static void a_slot_is_a_copy(void **state)
{
	uint64_t request;

	(void)state;
	page.head.slots[2].raw = 0x11223344;
	page.head.slots[3].raw = 0x55667788;
	show(2);
	uc_ring_peek(&ring, 1, &request);
	page.head.slots[2].raw = 0;
	assert_true(request == 0x5566778811223344ull);
}

/* The guest writes rsp_prod, which is ours: neither the index nor the event follows it. */
static void our_index_is_our_own(void **state)
{
	uint32_t response = 0;

	(void)state;
	show(8);
	uc_ring_take(&ring, 8);
	page.head.rsp_prod.raw = 1;
	uc_ring_respond(&ring, &response, sizeof(response));
	assert_true(uc_ring_push(&ring));
	assert_int_equal(page.head.rsp_prod.raw, 1);
	page.head.rsp_prod.raw = 0xfffffff0;
	uc_ring_respond(&ring, &response, sizeof(response));
	page.head.rsp_event.raw = 1; /* passed by the one before */
	assert_false(uc_ring_push(&ring));
	assert_int_equal(page.head.rsp_prod.raw, 2);
}

static void nothing_written_is_nothing_to_push(void **state)
{
	(void)state;
	page.head.rsp_event.raw = 0;
	assert_false(uc_ring_push(&ring));
}

static void an_event_is_asked_for_only_when_too_few_are_there(void **state)
{
	(void)state;
	show(3);
	assert_int_equal(uc_ring_wait_for(&ring, 3), 3);
	assert_int_equal(page.head.req_event.raw, 0);
	assert_int_equal(uc_ring_wait_for(&ring, 4), 3);
	assert_int_equal(page.head.req_event.raw, 4);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		TEST(sizes),
		TEST(indices_wrap),
		TEST(unanswered_requests_count),
		TEST(an_index_behind_what_was_taken),
		TEST(a_slot_is_a_copy),
		TEST(our_index_is_our_own),
		TEST(nothing_written_is_nothing_to_push),
		TEST(an_event_is_asked_for_only_when_too_few_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
