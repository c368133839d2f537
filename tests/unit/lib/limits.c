/* SPDX-License-Identifier: MIT */
/* 32-bit guests' 2-level ABI, quotas of ports. */
#include "fixture.h"

#include <string.h>

#include <xen/errno.h>
#include <xen/xen.h>

/* A 32-bit guest's own view of its pages: offsets from xen/arch-x86/xen-x86_32.h, see abi32.c. */
#define PENDING 2048u
#define MASK	(PENDING + 128)
#define SEL	4u

static uint32_t word32(struct machine *m, uint32_t gfn, uint32_t offset)
{
	uint32_t value;

	memcpy(&value, (uint8_t *)frame_of(m, gfn) + offset, sizeof(value));
	return value;
}

static void set32(struct machine *m, uint32_t gfn, uint32_t offset, uint32_t value)
{
	memcpy((uint8_t *)frame_of(m, gfn) + offset, &value, sizeof(value));
}

static struct machine *boot32(void **state)
{
	struct machine *m = ((struct world *)*state)->a;

	assert_int_equal(uc_domain_set_compat(&m->d, true), 0);
	start_2l(m);
	return m;
}

static uint32_t open_at(struct machine *m, struct line *l, uint32_t port)
{
	uint32_t ipi;

	do {
		assert_int_equal(uc_bind_ipi(&m->d, 0, &ipi), 0);
	} while (ipi < port - 1);
	open_line(m, l, 1);
	return l->e.port;
}

static void an_event_of_a_32_bit_guest(void **state)
{
	struct machine *m = boot32(state);
	struct line l;

	assert_int_equal(open_at(m, &l, 1000), 1000);
	raise_line(&l);
	assert_int_equal(word32(m, FRAME_SHARED, PENDING + 1000 / 32 * 4), 1u << (1000 % 32));
	assert_int_equal(word32(m, FRAME_SHARED, 64 + SEL), 1u << (1000 / 32));
	assert_int_equal(word32(m, FRAME_SHARED, 64 + 8), 0); /* a 64-bit guest's selector */
	assert_int_equal(m->kicks[1], 1);
}

static void its_mask_is_where_a_32_bit_guest_has_it(void **state)
{
	struct machine *m = boot32(state);
	struct line l;

	open_at(m, &l, 1000);
	set32(m, FRAME_SHARED, MASK + 1000 / 32 * 4, 1u << (1000 % 32));
	raise_line(&l);
	assert_int_equal(m->kicks[1], 0);
	assert_int_equal(uc_unmask(&m->d, 1000), 0);
	assert_int_equal(word32(m, FRAME_SHARED, MASK + 1000 / 32 * 4), 0);
	assert_int_equal(m->kicks[1], 1);
}

/* XSA-342: port 1024 of a 32-bit guest would be bit 0 of its mask. */
static void it_has_1024_ports(void **state)
{
	struct machine *m = boot32(state);
	uint32_t port;

	do {
		assert_int_equal(uc_bind_ipi(&m->d, 0, &port), 0);
	} while (port < UC_2L_COMPAT_PORTS - 1);
	assert_int_equal(uc_bind_ipi(&m->d, 0, &port), -XEN_ENOSPC);
	assert_int_equal(word32(m, FRAME_SHARED, MASK), 0);
}

static void a_guest_with_more_ports_cannot_become_one(void **state)
{
	struct machine *m = ((struct world *)*state)->a;
	uint32_t port;

	start_2l(m);
	do {
		assert_int_equal(uc_bind_ipi(&m->d, 0, &port), 0);
	} while (port < UC_2L_COMPAT_PORTS);
	assert_int_equal(uc_domain_set_compat(&m->d, true), -XEN_EBUSY);
	assert_int_equal(reset_all(m), 0);
	assert_int_equal(uc_domain_set_compat(&m->d, true), -XEN_EBUSY);
}

static void its_vcpu_info_is_marked_whole(void **state)
{
	struct machine *m = boot32(state);

	assert_int_equal(uc_vcpu_set_info(&m->vcpus[1], FRAME_INFO, 0), 0);
	assert_int_equal(word32(m, FRAME_INFO, SEL), UINT32_MAX);
	assert_int_equal(word32(m, FRAME_INFO, 8), 0);
}

static void fifo_is_the_same_for_both(void **state)
{
	struct machine *m = ((struct world *)*state)->a;
	struct line l;

	start_fifo(m, 2);
	assert_int_equal(open_at(m, &l, 1500), 1500);
	assert_int_equal(uc_domain_set_compat(&m->d, true), 0);
	raise_line(&l);
	assert_int_equal(run(m, 1), 1);
	/* Back in the 2-level ABI the port would lie in the mask. */
	assert_int_equal(reset_all(m), 0);
	assert_int_equal(uc_endpoint_raise(&l.e), -XEN_ENOTCONN);
	assert_int_equal(word32(m, FRAME_SHARED, PENDING + 1500 / 32 * 4), 0);
	uc_endpoint_close(&l.e);
}

static void a_quota_holds_for_new_ports(void **state)
{
	struct machine *m = ((struct world *)*state)->a;
	struct line l;
	uint32_t port;

	start_fifo(m, 1);
	assert_int_equal(open_at(m, &l, 10), 10);
	assert_int_equal(uc_domain_set_quota(&m->d, 8), 0);
	raise_line(&l);
	assert_int_equal(run_all(m), 1); /* those it has stay */
	assert_int_equal(uc_bind_ipi(&m->d, 0, &port), -XEN_ENOSPC);
	assert_int_equal(uc_alloc_unbound(&m->d, ID_B, &port), -XEN_ENOSPC);
	assert_int_equal(uc_close(&m->d, 7), 0);
	assert_int_equal(uc_bind_ipi(&m->d, 0, &port), 0);
	assert_int_equal(port, 7);
	assert_int_equal(uc_domain_set_quota(&m->d, UINT32_MAX), 0);
	assert_int_equal(uc_bind_ipi(&m->d, 0, &port), 0);
	assert_int_equal(uc_domain_set_quota(&m->d, 1), -XEN_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_event_of_a_32_bit_guest),
		TEST(its_mask_is_where_a_32_bit_guest_has_it),
		TEST(it_has_1024_ports),
		TEST(a_guest_with_more_ports_cannot_become_one),
		TEST(its_vcpu_info_is_marked_whole),
		TEST(fifo_is_the_same_for_both),
		TEST(a_quota_holds_for_new_ports),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
