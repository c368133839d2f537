/* SPDX-License-Identifier: MIT */
/* Guest RAM and the addresses that are not RAM: vmm/mem.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/mem.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

/* Only addresses are compared here, nothing is mapped. */
static struct uc_mem layout(uint64_t low_bytes, uint64_t high_bytes)
{
	return (struct uc_mem){.base = (uint8_t *)0x100000000000,
			       .low_bytes = low_bytes,
			       .high_bytes = high_bytes};
}

static void in_ram(const struct uc_mem *mem, uint64_t gpa, uint64_t len, uint64_t offset)
{
	assert_ptr_equal(uc_mem_at(mem, gpa, len), mem->base + offset);
}

static void outside(const struct uc_mem *mem, uint64_t gpa, uint64_t len)
{
	assert_null(uc_mem_at(mem, gpa, len));
}

static void low_ram_ends_at_its_last_byte(void **state)
{
	const struct uc_mem mem = layout(64 * MIB, 0);

	(void)state;
	in_ram(&mem, 0, 1, 0);
	in_ram(&mem, 0, 64 * MIB, 0);
	in_ram(&mem, 64 * MIB - 1, 1, 64 * MIB - 1);
	in_ram(&mem, 64 * MIB - 1, 0, 64 * MIB - 1);
	outside(&mem, 64 * MIB - 1, 2);
	outside(&mem, 0, 64 * MIB + 1);
	outside(&mem, 64 * MIB, 0);
	outside(&mem, 64 * MIB, 1);
}

static void without_high_ram_nothing_is_above_4_gib(void **state)
{
	const struct uc_mem mem = layout(64 * MIB, 0);

	(void)state;
	outside(&mem, UC_MEM_4G, 0);
	outside(&mem, UC_MEM_4G, 1);
	outside(&mem, UC_MEM_4G + 64 * MIB, 1);
}

static void the_hole_is_no_ram(void **state)
{
	const struct uc_mem mem = layout(UC_MEM_HOLE_START, 2 * GIB);

	(void)state;
	in_ram(&mem, UC_MEM_HOLE_START - 1, 1, UC_MEM_HOLE_START - 1);
	outside(&mem, UC_MEM_HOLE_START - 1, 2);
	outside(&mem, UC_MEM_HOLE_START, 0);
	outside(&mem, UC_MEM_HOLE_START, 1);
	outside(&mem, 0xfee00000, 4);
	outside(&mem, UC_MEM_4G - 1, 1);
	/* A range over the whole hole, as long as both ends are RAM. */
	outside(&mem, UC_MEM_HOLE_START - 1, UC_MEM_4G - UC_MEM_HOLE_START + 2);
}

static void high_ram_follows_low_ram_in_the_mapping(void **state)
{
	const struct uc_mem mem = layout(UC_MEM_HOLE_START, 2 * GIB);

	(void)state;
	in_ram(&mem, UC_MEM_4G, 1, UC_MEM_HOLE_START);
	in_ram(&mem, UC_MEM_4G, 2 * GIB, UC_MEM_HOLE_START);
	in_ram(&mem, UC_MEM_4G + 2 * GIB - 1, 1, UC_MEM_HOLE_START + 2 * GIB - 1);
	outside(&mem, UC_MEM_4G + 2 * GIB - 1, 2);
	outside(&mem, UC_MEM_4G, 2 * GIB + 1);
	outside(&mem, UC_MEM_4G + 2 * GIB, 0);
	outside(&mem, UC_MEM_4G + 2 * GIB, 1);
}

static void lengths_that_overflow_are_no_ram(void **state)
{
	const struct uc_mem mem = layout(UC_MEM_HOLE_START, 2 * GIB);
	const uint64_t starts[] = {0, 1, 4096, UC_MEM_HOLE_START - 1, UC_MEM_4G, UC_MEM_4G + GIB};

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		outside(&mem, starts[i], UINT64_MAX);
		outside(&mem, starts[i], UINT64_MAX - starts[i]);
		if (starts[i] > 2) /* the sum is 2 */
			outside(&mem, starts[i], 2 - starts[i]);
		outside(&mem, starts[i], 1ull << 63);
	}
	outside(&mem, UINT64_MAX, 0);
	outside(&mem, UINT64_MAX, 1);
	outside(&mem, UINT64_MAX - 4095, 4096);
	outside(&mem, 1ull << 63, 4096);
}

static void sizes_out_of_range_are_refused(void **state)
{
	const uint64_t sizes[] = {0,
				  1,
				  4096,
				  UC_MEM_MIN - 1,
				  UC_MEM_MIN - 4096,
				  UC_MEM_MIN + 1,
				  UC_MEM_MAX + 1,
				  UC_MEM_MAX + 4096,
				  1ull << 63,
				  UINT64_MAX,
				  UINT64_MAX - 4095};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct uc_mem mem;
		struct uc_diag diag = {0};

		assert_int_equal(uc_mem_init(&mem, sizes[i], &diag), -EINVAL);
		assert_int_equal(diag.status, UC_EXIT_MEMORY);
		assert_null(mem.base);
		uc_mem_destroy(&mem);
	}
}

static void ram_is_split_at_the_hole(void **state)
{
	static const struct {
		uint64_t bytes, low, high;
	} cases[] = {
		{UC_MEM_MIN, UC_MEM_MIN, 0},
		{UC_MEM_HOLE_START - 4096, UC_MEM_HOLE_START - 4096, 0},
		{UC_MEM_HOLE_START, UC_MEM_HOLE_START, 0},
		{UC_MEM_HOLE_START + 4096, UC_MEM_HOLE_START, 4096},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct uc_mem mem;
		struct uc_diag diag = {0};
		int rc = uc_mem_init(&mem, cases[i].bytes, &diag);

		if (rc == -ENOMEM)
			continue; /* a host that does not overcommit; the first case always runs */
		assert_int_equal(rc, 0);
		assert_int_equal(mem.low_bytes, cases[i].low);
		assert_int_equal(mem.high_bytes, cases[i].high);
		assert_int_equal(mem.base[cases[i].bytes - 1], 0);
		mem.base[cases[i].bytes - 1] = 1;
		uc_mem_destroy(&mem);
		assert_null(mem.base);
		assert_null(uc_mem_at(&mem, 0, 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(low_ram_ends_at_its_last_byte),
		cmocka_unit_test(without_high_ram_nothing_is_above_4_gib),
		cmocka_unit_test(the_hole_is_no_ram),
		cmocka_unit_test(high_ram_follows_low_ram_in_the_mapping),
		cmocka_unit_test(lengths_that_overflow_are_no_ram),
		cmocka_unit_test(sizes_out_of_range_are_refused),
		cmocka_unit_test(ram_is_split_at_the_hole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
