/* SPDX-License-Identifier: MIT */
/* Grants: what is given, what is refused, and the marks that a guest sees meanwhile. */
#include "fixture.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

static int setup(void **state)
{
	*state = guest_new();
	return 0;
}

static void marked_while_in_use(void **state)
{
	struct net_guest *g = *state;
	void *page = uc_gnttab_begin(&g->table, BUF_REF, true);

	assert_ptr_equal(page, buffer(g, 0));
	assert_int_equal(grant_flags(g, BUF_REF), GTF_permit_access | GTF_reading | GTF_writing);
	uc_gnttab_end(&g->table, BUF_REF, true);
	assert_int_equal(grant_flags(g, BUF_REF), GTF_permit_access);
	page = uc_gnttab_begin(&g->table, BUF_REF, false);
	assert_int_equal(grant_flags(g, BUF_REF), GTF_permit_access | GTF_reading);
	uc_gnttab_end(&g->table, BUF_REF, false);
	assert_int_equal(grant_flags(g, BUF_REF), GTF_permit_access);
}

static void refused(struct net_guest *g, uint32_t ref, bool write)
{
	uint16_t before = ref < GRANTS ? grant_flags(g, ref) : 0;

	assert_null(uc_gnttab_begin(&g->table, ref, write));
	if (ref < GRANTS)
		assert_int_equal(grant_flags(g, ref), before);
}

static void refuses_what_is_no_grant(void **state)
{
	struct net_guest *g = *state;

	refused(g, GRANTS, false);
	refused(g, UINT32_MAX, false);
	refused(g, 50, false); /* never granted */
	grant(g, 50, BUF_FRAME, GTF_accept_transfer);
	refused(g, 50, false);
	grant(g, 50, BUF_FRAME, GTF_transitive);
	refused(g, 50, false);
	grant(g, 50, BUF_FRAME, GTF_permit_access | GTF_sub_page);
	refused(g, 50, false);
	grant(g, 50, BUF_FRAME, GTF_permit_access);
	g->grants[50].domid = 7;
	refused(g, 50, false);
}

static void read_only_is_for_reading(void **state)
{
	struct net_guest *g = *state;
	uint8_t byte = 1;

	grant(g, 50, BUF_FRAME, GTF_permit_access | GTF_readonly);
	refused(g, 50, true);
	assert_int_equal(uc_gnttab_write(&g->table, 50, 0, &byte, 1), -EACCES);
	assert_int_equal(uc_gnttab_read(&g->table, 50, 0, &byte, 1), 0);
	assert_int_equal(byte, 0);
}

static void refuses_frames_that_are_not_ram(void **state)
{
	struct net_guest *g = *state;
	const uint32_t bad[] = {UC_MEM_MIN / UC_PAGE_SIZE, UC_MEM_HOLE_START / UC_PAGE_SIZE,
				UC_MEM_4G / UC_PAGE_SIZE, UINT32_MAX};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		grant(g, 50, bad[i], GTF_permit_access);
		refused(g, 50, true);
	}
	grant(g, 50, UC_MEM_MIN / UC_PAGE_SIZE - 1, GTF_permit_access);
	assert_non_null(uc_gnttab_begin(&g->table, 50, true));
}

static void copies_stay_in_the_page(void **state)
{
	struct net_guest *g = *state;
	uint8_t bytes[16] = "0123456789abcde", back[16];

	assert_int_equal(uc_gnttab_write(&g->table, BUF_REF, 4080, bytes, 16), 0);
	assert_memory_equal(buffer(g, 0) + 4080, bytes, 16);
	assert_int_equal(uc_gnttab_read(&g->table, BUF_REF, 4080, back, 16), 0);
	assert_memory_equal(back, bytes, 16);
	assert_int_equal(uc_gnttab_write(&g->table, BUF_REF, 4081, bytes, 16), -EINVAL);
	assert_int_equal(uc_gnttab_read(&g->table, BUF_REF, 4097, back, 0), -EINVAL);
	assert_int_equal(uc_gnttab_read(&g->table, BUF_REF, UINT32_MAX, back, 2), -EINVAL);
	assert_int_equal(uc_gnttab_read(&g->table, BUF_REF, 0, back, UINT32_MAX), -EINVAL);
}

static bool ends;

static void *flip(void *arg)
{
	struct net_guest *g = arg;

	while (!__atomic_load_n(&ends, __ATOMIC_RELAXED))
		__atomic_fetch_xor(&g->grants[BUF_REF].flags, GTF_PWT, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Each attempt ends, whichever way, and no mark stays. */
static void a_guest_that_keeps_changing_an_entry(void **state)
{
	struct net_guest *g = *state;
	pthread_t thread;
	int got = 0;

	ends = false;
	assert_int_equal(pthread_create(&thread, NULL, flip, g), 0);
	for (int i = 0; i < 200000; i++) {
		if (!uc_gnttab_begin(&g->table, BUF_REF, true))
			continue;
		got++;
		uc_gnttab_end(&g->table, BUF_REF, true);
	}
	__atomic_store_n(&ends, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_true(got > 0);
	assert_int_equal(grant_flags(g, BUF_REF) & ~GTF_PWT, GTF_permit_access);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(marked_while_in_use),	TEST(refuses_what_is_no_grant),
		TEST(read_only_is_for_reading), TEST(refuses_frames_that_are_not_ram),
		TEST(copies_stay_in_the_page),	TEST(a_guest_that_keeps_changing_an_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
