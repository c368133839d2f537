/* SPDX-License-Identifier: MIT */
/*
 * The sums of `upcall capacity`: against figures worked out by hand, and against the library, whose
 * domains are built here with exactly the memory that the sums count.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <upcall/evtchn.h>

#include "cli/capacity_sums.h"

static void draft_example(void **state)
{
	uint64_t domains;

	(void)state;
	/* 131072 / (1 + 64 / 1024) = 123361.88 */
	assert_int_equal(uc_capacity_draft_domains(512ull << 20, 64, &domains), 0);
	assert_int_equal(domains, 123361);
	/* As many events as words in a page: two pages for each guest. */
	assert_int_equal(uc_capacity_draft_domains(512ull << 20, 1024, &domains), 0);
	assert_int_equal(domains, 65536);
	assert_int_equal(uc_capacity_draft_domains(4095, 1, &domains), 0);
	assert_int_equal(domains, 0);
}

static void draft_bytes_are_the_inverse(void **state)
{
	uint64_t bytes, domains;

	(void)state;
	/* 16 guests have 16 pages, and 16 * 64 other ends fill one. */
	assert_int_equal(uc_capacity_draft_bytes(16, 64, &bytes), 0);
	assert_int_equal(bytes, 17 * 4096);
	assert_int_equal(uc_capacity_draft_bytes(17, 64, &bytes), 0);
	assert_int_equal(bytes, 19 * 4096);
	for (uint32_t events = 1; events < 3000; events += 7) {
		assert_int_equal(uc_capacity_draft_domains(1ull << 30, events, &domains), 0);
		assert_int_equal(uc_capacity_draft_bytes(domains, events, &bytes), 0);
		assert_true(bytes <= 1ull << 30);
		assert_int_equal(uc_capacity_draft_bytes(domains + 1, events, &bytes), 0);
		assert_true(bytes > 1ull << 30);
	}
}

static void sums_by_hand(void **state)
{
	struct uc_capacity_host host = {.vcpus_per_domain = 65, .events_per_domain = 1024};
	struct uc_capacity_cost cost;
	/* 1025 ports, so two pages; 65 vCPUs, so rows of two words for ports, domain and none. */
	uint64_t guest = sizeof(struct uc_domain) + 65 * sizeof(struct uc_vcpu) +
			 1025 * sizeof(struct uc_port) + 1027 * 16;
	uint64_t driver = sizeof(struct uc_domain) + 65 * sizeof(struct uc_vcpu) +
			  2049 * sizeof(struct uc_port) + 2051 * 16;

	(void)state;
	assert_int_equal(uc_capacity_cost(&host, 2, &cost), 0);
	assert_int_equal(cost.driver_domains, 1);
	assert_int_equal(cost.ports, 4 * 1024);
	assert_int_equal(cost.array_pages, 2 + 2 + 3);
	assert_int_equal(cost.control_pages, 3 * 65);
	assert_int_equal(cost.state_bytes, 2 * guest + driver);
	assert_int_equal(cost.total_bytes, cost.state_bytes + (7 + 195) * 4096);

	host.host_back_ends = true;
	assert_int_equal(uc_capacity_cost(&host, 2, &cost), 0);
	assert_int_equal(cost.driver_domains, 0);
	assert_int_equal(cost.ports, 4 * 1024);
	assert_int_equal(cost.array_pages, 4);
	assert_int_equal(cost.state_bytes, 2 * guest + 2048 * sizeof(struct uc_endpoint));
}

static void nothing_costs_nothing(void **state)
{
	struct uc_capacity_host host = {.vcpus_per_domain = 1, .events_per_domain = 1};
	struct uc_capacity_cost cost;

	(void)state;
	assert_int_equal(uc_capacity_cost(&host, 0, &cost), 0);
	assert_int_equal(cost.total_bytes | cost.ports | cost.driver_domains, 0);
}

static void driver_domains_fill_up(void **state)
{
	struct uc_capacity_host host = {.vcpus_per_domain = 1, .events_per_domain = 131071};
	struct uc_capacity_cost cost;

	(void)state;
	assert_int_equal(uc_capacity_cost(&host, 3, &cost), 0);
	assert_int_equal(cost.driver_domains, 3);
	assert_int_equal(cost.array_pages, 6 * UC_FIFO_PAGES);
	host.events_per_domain = 43691; /* three times that is two more than one has */
	assert_int_equal(uc_capacity_cost(&host, 3, &cost), 0);
	assert_int_equal(cost.driver_domains, 2);
	assert_int_equal(cost.array_pages, 3 * 43 + 128 + 1);
}

static void the_last_that_fits(void **state)
{
	static const uint32_t events[] = {1, 64, 1023, 1024, 5000, 131071};

	(void)state;
	for (unsigned int i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		for (uint64_t memory = 1 << 20; memory <= 1ull << 40; memory *= 8) {
			struct uc_capacity_host host = {.memory_bytes = memory,
							.vcpus_per_domain = 1 + i,
							.events_per_domain = events[i]};
			struct uc_capacity_cost at, behind;
			bool by_ids;
			uint64_t fit = uc_capacity_domains(&host, &by_ids);

			assert_true(!fit || uc_capacity_fits(&host, fit));
			assert_false(uc_capacity_fits(&host, fit + 1));
			assert_int_equal(uc_capacity_cost(&host, fit, &at), 0);
			assert_int_equal(uc_capacity_cost(&host, fit + 1, &behind), 0);
			assert_true(at.total_bytes <= memory);
			assert_true(fit + at.driver_domains <= UC_CAPACITY_IDS);
			if (by_ids)
				assert_true(fit + 1 + behind.driver_domains > UC_CAPACITY_IDS);
			else
				assert_true(behind.total_bytes > memory);
		}
}

static void overflow_is_an_error(void **state)
{
	struct uc_capacity_host host = {.memory_bytes = UINT64_MAX,
					.vcpus_per_domain = UINT32_MAX,
					.events_per_domain = UINT32_MAX};
	struct uc_capacity_cost cost;
	uint64_t out;

	(void)state;
	assert_int_equal(uc_capacity_cost(&host, UINT64_MAX, &cost), -EOVERFLOW);
	assert_int_equal(uc_capacity_cost(&host, UINT64_MAX / 2, &cost), -EOVERFLOW);
	assert_int_equal(uc_capacity_cost(&host, 1ull << 32, &cost), -EOVERFLOW);
	host.host_back_ends = true;
	assert_int_equal(uc_capacity_cost(&host, 1ull << 32, &cost), -EOVERFLOW);
	assert_int_equal(uc_capacity_draft_bytes(UINT64_MAX, 1, &out), -EOVERFLOW);
	assert_int_equal(uc_capacity_draft_bytes(UINT64_MAX / 1025, 1, &out), -EOVERFLOW);
	assert_int_equal(uc_capacity_draft_domains(UINT64_MAX, UINT32_MAX, &out), 0);
	assert_false(uc_capacity_fits(&host, UINT64_MAX));
	/* Each product fits, their sum does not. */
	host = (struct uc_capacity_host){.vcpus_per_domain = 1, .events_per_domain = 131071};
	assert_int_equal(uc_capacity_cost(&host, 1, &cost), 0);
	assert_int_equal(uc_capacity_cost(&host, UINT64_MAX / (cost.state_bytes / 2), &cost),
			 -EOVERFLOW);
}

/* ---- the library itself ---- */

#define GUESTS	   3
#define DRIVER	   (GUESTS + 1)
#define BLOCKS_MAX 512

static struct {
	struct uc_domain *domains[DRIVER + 1];
	void *blocks[BLOCKS_MAX];
	unsigned int nr_blocks;
	uint64_t state_bytes, frames;
} built;

static void *take(size_t alignment, uint64_t bytes)
{
	/* aligned_alloc() wants whole multiples. */
	void *block = aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);

	assert_non_null(block);
	assert_true(built.nr_blocks < BLOCKS_MAX);
	memset(block, 0, bytes);
	built.blocks[built.nr_blocks++] = block;
	return block;
}

static void *take_state(uint64_t bytes)
{
	built.state_bytes += bytes;
	return take(64, bytes);
}

static void *map_frame(void *ctx, struct uc_domain *d, uint64_t gfn)
{
	(void)ctx, (void)d, (void)gfn;
	built.frames++;
	return take(UC_FRAME_SIZE, UC_FRAME_SIZE);
}

static void unmap_frame(void *ctx, struct uc_domain *d, void *frame)
{
	(void)ctx, (void)d, (void)frame;
}

static void kick(void *ctx, struct uc_vcpu *v)
{
	(void)ctx, (void)v;
}

static const struct uc_host_ops ops = {
	.map_frame = map_frame, .unmap_frame = unmap_frame, .kick = kick, .wake = kick};
static struct uc_host lib_host = {.ops = &ops, .domains = built.domains, .nr_domains = DRIVER + 1};

static void build(uint16_t id, uint32_t events, uint32_t vcpus)
{
	struct uc_domain *d = take_state(sizeof(*d));
	struct uc_domain_config config = {.host = &lib_host, .id = id};

	config.vcpus = take_state(vcpus * sizeof(struct uc_vcpu));
	config.nr_vcpus = vcpus;
	config.ports = take_state((events + 1) * sizeof(struct uc_port));
	config.nr_ports = events + 1;
	config.affinity = take_state((events + 3) * ((vcpus + 63) / 64) * sizeof(uint64_t));
	assert_int_equal(uc_domain_init(d, &config), 0);
	for (uint32_t i = 0; i < vcpus; i++)
		assert_int_equal(uc_init_control(d, i, 0, 0), 0);
}

/* As a guest does: another page when a port has no word. */
static void give_word(struct uc_domain *d, uint32_t port)
{
	if (port >= d->nr_words)
		assert_int_equal(uc_expand_array(d, 0), 0);
	assert_true(port < d->nr_words);
}

static void join(uint16_t guest)
{
	struct uc_domain *g = built.domains[guest], *d = built.domains[DRIVER];
	uint32_t port, peer;

	assert_int_equal(uc_alloc_unbound(g, DRIVER, &port), 0);
	give_word(g, port);
	assert_int_equal(uc_bind_interdomain(d, guest, port, &peer), 0);
	give_word(d, peer);
}

static void the_library_takes_what_the_sums_say(void **state)
{
	struct uc_capacity_host host = {.vcpus_per_domain = 65, .events_per_domain = 1023};
	struct uc_capacity_cost cost;
	uint32_t port;

	(void)state;
	for (uint16_t id = 1; id <= GUESTS; id++)
		build(id, host.events_per_domain, host.vcpus_per_domain);
	build(DRIVER, GUESTS * host.events_per_domain, host.vcpus_per_domain);
	for (uint16_t id = 1; id <= GUESTS; id++)
		for (uint32_t i = 0; i < host.events_per_domain; i++)
			join(id);
	/* Full: not a port more than was counted. */
	for (uint16_t id = 1; id <= DRIVER; id++)
		assert_true(uc_alloc_unbound(built.domains[id], 1, &port) < 0);

	assert_int_equal(uc_capacity_cost(&host, GUESTS, &cost), 0);
	assert_int_equal(cost.state_bytes, built.state_bytes);
	assert_int_equal(cost.array_pages + cost.control_pages, built.frames);
	while (built.nr_blocks)
		free(built.blocks[--built.nr_blocks]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(draft_example),
		cmocka_unit_test(draft_bytes_are_the_inverse),
		cmocka_unit_test(sums_by_hand),
		cmocka_unit_test(nothing_costs_nothing),
		cmocka_unit_test(driver_domains_fill_up),
		cmocka_unit_test(the_last_that_fits),
		cmocka_unit_test(overflow_is_an_error),
		cmocka_unit_test(the_library_takes_what_the_sums_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
