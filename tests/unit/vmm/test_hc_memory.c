/* SPDX-License-Identifier: MIT */
/* __HYPERVISOR_memory_op and __HYPERVISOR_grant_table_op: hc_memory.c, grants.c. */
#include "fake_kvm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <xen/xen.h>

#include <xen/grant_table.h>
#include <xen/memory.h>

#include "vmm/xen/grants.h"

#define MEMORY(m, ...) CALL(m, __HYPERVISOR_memory_op, __VA_ARGS__)
#define GRANT(m, ...)  CALL(m, __HYPERVISOR_grant_table_op, __VA_ARGS__)

static const uint64_t bad_gfns[] = {
	RAM_FRAMES, UC_MEM_HOLE_START >> 12, UC_MEM_4G >> 12, (1ull << 40),   (1ull << 52) - 1,
	1ull << 52, (1ull << 52) + 1,	     1ull << 63,      UINT64_MAX - 1, UINT64_MAX};
#define NR_BAD_GFNS (sizeof(bad_gfns) / sizeof(bad_gfns[0]))

static int64_t place_at(struct machine *m, uint16_t domid, uint32_t space, uint64_t idx,
			uint64_t gfn)
{
	struct xen_add_to_physmap arg = {.domid = domid, .space = space, .idx = idx, .gpfn = gfn};

	return call_arg(m, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &arg, sizeof(arg));
}

static int64_t place_shared(struct machine *m, uint64_t gfn)
{
	return place_at(m, DOMID_SELF, XENMAPSPACE_shared_info, 0, gfn);
}

static int64_t place_grant(struct machine *m, uint64_t idx, uint64_t gfn)
{
	return place_at(m, DOMID_SELF, XENMAPSPACE_grant_table, idx, gfn);
}

/* ---- the shared info ---- */

static void shared_info_is_the_zeroed_frame(void **state)
{
	struct machine *m = *state;
	uint8_t *page = ram(m, FREE_GFN << 12);

	memset(page, 0xaa, UC_PAGE_SIZE);
	assert_int_equal(place_shared(m, FREE_GFN), 0);
	assert_ptr_equal(m->vm.domain.shared_info, page);
	assert_int_equal(m->vm_attr[KVM_XEN_ATTR_TYPE_SHARED_INFO], FREE_GFN);
	for (size_t i = 0; i < UC_PAGE_SIZE; i++)
		assert_int_equal(page[i], 0);
}

static void shared_info_gives_each_vcpu_its_info(void **state)
{
	struct machine *m = *state;

	assert_int_equal(place_shared(m, FREE_GFN), 0);
	for (uint32_t i = 0; i < VCPUS; i++)
		assert_int_equal(m->vcpu_attr[i][KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO],
				 (FREE_GFN << 12) + i * sizeof(struct vcpu_info));
}

static void a_registered_info_stays_when_shared_info_moves(void **state)
{
	struct machine *m = *state;

	assert_int_equal(uc_vcpu_set_info(&m->vm.evtchn_vcpus[2], FREE_GFN + 1, 64), 0);
	assert_int_equal(place_shared(m, FREE_GFN), 0);
	assert_int_equal(m->vcpu_attrs[2][KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO], 0);
	assert_int_equal(m->vcpu_attrs[1][KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO], 1);
}

static void shared_info_keeps_its_contents_when_it_moves(void **state)
{
	struct machine *m = *state;
	struct uc_shared_info *s;

	assert_int_equal(place_shared(m, FREE_GFN), 0);
	s = ram(m, FREE_GFN << 12);
	__atomic_store_n(&s->mask[3].raw, 0x1234, __ATOMIC_SEQ_CST);
	assert_int_equal(place_shared(m, FREE_GFN + 5), 0);
	s = ram(m, (FREE_GFN + 5) << 12);
	assert_int_equal(__atomic_load_n(&s->mask[3].raw, __ATOMIC_SEQ_CST), 0x1234);
	assert_int_equal(m->vm_attr[KVM_XEN_ATTR_TYPE_SHARED_INFO], FREE_GFN + 5);
}

static void shared_info_outside_ram_is_refused(void **state)
{
	struct machine *m = *state;

	for (size_t i = 0; i < NR_BAD_GFNS; i++)
		assert_int_equal(place_shared(m, bad_gfns[i]), -EINVAL);
	assert_int_equal(place_at(m, DOMID_SELF, XENMAPSPACE_shared_info, 1, FREE_GFN), -EINVAL);
	assert_null(m->vm.domain.shared_info);
	assert_int_equal(m->vm_attrs[KVM_XEN_ATTR_TYPE_SHARED_INFO], 0);
}

/* uc_vm_fail() takes the machine's lock: a kick that KVM refuses must not find it taken. */
static void a_refused_kick_while_placing_does_not_hang(void **state)
{
	struct machine *m = *state;

	m->vm.vcpus[0].upcall_vector = 0xf3;
	m->signal_errno = EINVAL;
	/* Its upcall waits in no_info, and is given to the guest with the shared info. */
	__atomic_store_n(&m->vm.evtchn_vcpus[0].no_info.upcall_pending.raw, 1, __ATOMIC_SEQ_CST);
	(void)place_shared(m, FREE_GFN);
	assert_int_equal(m->failures, 1);
}

/* ---- any space ---- */

static void other_domains_are_out_of_reach(void **state)
{
	static const struct {
		uint16_t domid;
		int rc;
	} cases[] = {{0, -EPERM},	   {5, -ESRCH},		{DOMID_IO, -ESRCH},
		     {DOMID_XEN, -ESRCH},  {DOMID_COW, -ESRCH}, {DOMID_INVALID, -ESRCH},
		     {DOMID_IDLE, -ESRCH}, {0xffff, -ESRCH},	{0x7fef, -ESRCH}};
	struct machine *m = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint16_t id = cases[i].domid;
		domid_t domid = id;

		assert_int_equal(place_at(m, id, XENMAPSPACE_shared_info, 0, FREE_GFN),
				 cases[i].rc);
		assert_int_equal(call_arg(m, __HYPERVISOR_memory_op, XENMEM_current_reservation,
					  &domid, sizeof(domid)),
				 cases[i].rc);
	}
	assert_int_equal(place_at(m, UC_VM_DOMID, XENMAPSPACE_shared_info, 0, FREE_GFN), 0);
}

static void other_spaces_are_refused(void **state)
{
	struct machine *m = *state;

	assert_int_equal(place_at(m, DOMID_SELF, XENMAPSPACE_gmfn, 1, FREE_GFN), -ENOSYS);
	assert_int_equal(place_at(m, DOMID_SELF, XENMAPSPACE_gmfn_range, 1, FREE_GFN), -ENOSYS);
	assert_int_equal(place_at(m, DOMID_SELF, XENMAPSPACE_gmfn_foreign, 1, FREE_GFN), -ENOSYS);
	assert_int_equal(place_at(m, DOMID_SELF, XENMAPSPACE_dev_mmio, 1, FREE_GFN), -EACCES);
	for (uint32_t space = 6; space < 40; space++)
		assert_int_equal(place_at(m, DOMID_SELF, space, 0, FREE_GFN), -EINVAL);
	assert_int_equal(place_at(m, DOMID_SELF, UINT32_MAX, 0, FREE_GFN), -EINVAL);
}

static void arguments_that_are_not_ram_fault(void **state)
{
	struct machine *m = *state;
	const uint64_t gvas[] = {RAM_BYTES,  RAM_BYTES - 1,    1ull << 47, 0xffff7fffffffffffull,
				 UINT64_MAX, UC_MEM_HOLE_START};

	for (size_t i = 0; i < sizeof(gvas) / sizeof(gvas[0]); i++) {
		assert_int_equal(MEMORY(m, XENMEM_add_to_physmap, gvas[i]), -EFAULT);
		assert_int_equal(MEMORY(m, XENMEM_maximum_reservation, gvas[i]), -EFAULT);
		assert_int_equal(GRANT(m, GNTTABOP_query_size, gvas[i], 1), -EFAULT);
		assert_int_equal(GRANT(m, GNTTABOP_set_version, gvas[i], 1), -EFAULT);
		assert_int_equal(GRANT(m, GNTTABOP_get_version, gvas[i], 1), -EFAULT);
	}
}

static void an_argument_may_cross_pages_but_not_into_a_hole(void **state)
{
	struct machine *m = *state;
	struct xen_add_to_physmap arg = {.domid = DOMID_SELF, .gpfn = FREE_GFN};
	const uint64_t gva = ARG + UC_PAGE_SIZE - sizeof(arg) / 2;

	/* Its second half is elsewhere in physical memory. */
	m->alias_page = ARG + UC_PAGE_SIZE;
	m->alias_gpa = ARG + 8 * UC_PAGE_SIZE;
	memcpy(ram(m, gva), &arg, sizeof(arg) / 2);
	memcpy(ram(m, m->alias_gpa), (uint8_t *)&arg + sizeof(arg) / 2, sizeof(arg) / 2);
	assert_int_equal(MEMORY(m, XENMEM_add_to_physmap, gva), 0);
	assert_ptr_equal(m->vm.domain.shared_info, ram(m, FREE_GFN << 12));

	m->alias_gpa = RAM_BYTES;
	assert_int_equal(MEMORY(m, XENMEM_add_to_physmap, gva), -EFAULT);
	m->alias_page = NO_PAGE;
	m->unmapped_page = ARG + UC_PAGE_SIZE;
	assert_int_equal(MEMORY(m, XENMEM_add_to_physmap, gva), -EFAULT);
}

static void reservations_are_the_ram(void **state)
{
	struct machine *m = *state;
	domid_t domid = DOMID_SELF;

	assert_int_equal(call_arg(m, __HYPERVISOR_memory_op, XENMEM_current_reservation, &domid,
				  sizeof(domid)),
			 RAM_FRAMES);
	assert_int_equal(call_arg(m, __HYPERVISOR_memory_op, XENMEM_maximum_reservation, &domid,
				  sizeof(domid)),
			 RAM_FRAMES);
}

static void extents_are_as_xen_takes_them(void **state)
{
	struct machine *m = *state;
	struct xen_add_to_physmap arg = {.domid = DOMID_SELF, .gpfn = FREE_GFN};

	assert_int_equal(MEMORY(m, 1u << 6 | XENMEM_maximum_reservation, ARG), -EINVAL);
	assert_int_equal(MEMORY(m, 1ull << 63 | XENMEM_current_reservation, ARG), -EINVAL);
	assert_int_equal(MEMORY(m, 0x10000u << 6 | XENMEM_add_to_physmap, ARG), -EDOM);
	assert_int_equal(MEMORY(m, 1ull << 63 | XENMEM_add_to_physmap, ARG), -EDOM);
	assert_null(m->vm.domain.shared_info);
	memcpy(ram(m, ARG), &arg, sizeof(arg));
	assert_int_equal(MEMORY(m, 0xffffu << 6 | XENMEM_add_to_physmap, ARG), 0);
	assert_non_null(m->vm.domain.shared_info);
}

/* ---- grant frames ---- */

static uint32_t slots_used(const struct machine *m)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < SLOTS; i++)
		n += m->slots[i].bytes != 0;
	return n;
}

static void grant_frames_appear_in_a_hole(void **state)
{
	struct machine *m = *state;
	const struct uc_grants *g = m->vm.grants;

	for (uint32_t i = UC_GRANT_FRAMES_MAX; i-- > 0;)
		assert_int_equal(place_grant(m, i, HOLE_GFN + i), 0);
	for (uint32_t i = 0; i < UC_GRANT_FRAMES_MAX; i++) {
		const struct fake_slot *slot = &m->slots[g->first_slot + i];

		assert_int_equal(slot->gpa, (HOLE_GFN + i) << 12);
		assert_int_equal(slot->bytes, UC_PAGE_SIZE);
		assert_ptr_equal((void *)(uintptr_t)slot->host, g->base + i * UC_PAGE_SIZE);
	}
}

static void a_grant_frame_over_ram_shares_its_content(void **state)
{
	struct machine *m = *state;
	uint8_t *page = ram(m, FREE_GFN << 12), *frame = m->vm.grants->base + 3 * UC_PAGE_SIZE;

	page[-1] = page[UC_PAGE_SIZE] = 0x55;
	assert_int_equal(place_grant(m, 3, FREE_GFN), 0);
	page[17] = 0x42;
	assert_int_equal(frame[17], 0x42);
	frame[4095] = 0x43;
	assert_int_equal(page[4095], 0x43);
	assert_int_equal(page[-1], 0x55);
	assert_int_equal(page[UC_PAGE_SIZE], 0x55);
	assert_int_equal(m->slot_changes, 0);
}

static void a_frame_that_leaves_ram_leaves_fresh_ram(void **state)
{
	struct machine *m = *state;
	uint8_t *page = ram(m, FREE_GFN << 12), *frame = m->vm.grants->base;

	assert_int_equal(place_grant(m, 0, FREE_GFN), 0);
	page[0] = 1;
	assert_int_equal(place_grant(m, 0, HOLE_GFN), 0);
	assert_int_equal(page[0], 0);
	page[0] = 2;
	assert_int_equal(frame[0], 1);
	assert_int_equal(slots_used(m), 1);
	/* And back: the hole is one again. */
	assert_int_equal(place_grant(m, 0, FREE_GFN), 0);
	assert_int_equal(page[0], 1);
	assert_int_equal(slots_used(m), 0);
}

static void a_second_frame_at_one_place_replaces_the_first(void **state)
{
	struct machine *m = *state;
	uint8_t *page = ram(m, FREE_GFN << 12), *base = m->vm.grants->base;

	assert_int_equal(place_grant(m, 0, FREE_GFN), 0);
	assert_int_equal(place_grant(m, 1, FREE_GFN), 0);
	page[5] = 9;
	assert_int_equal(base[5], 0);
	assert_int_equal(base[UC_PAGE_SIZE + 5], 9);
	/* The first, which is nowhere now, does not take the second away when it moves. */
	assert_int_equal(place_grant(m, 0, HOLE_GFN), 0);
	assert_int_equal(page[5], 9);
	assert_int_equal(place_grant(m, 1, HOLE_GFN), 0);
	assert_int_equal(slots_used(m), 1);
	assert_int_equal(m->slots[m->vm.grants->first_slot + 1].gpa, HOLE_GFN << 12);
}

static uint32_t host_mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	uint32_t lines = 0;
	int c;

	assert_non_null(f);
	while ((c = fgetc(f)) != EOF)
		lines += c == '\n';
	fclose(f);
	return lines;
}

static void frames_that_wander_use_nothing_up(void **state)
{
	struct machine *m = *state;
	uint32_t before = host_mappings();

	for (uint64_t i = 0; i < 4000; i++)
		assert_int_equal(place_grant(m, i % 3, FREE_GFN + 2 * i), 0);
	/* Each frame over RAM splits a mapping in three; slack for the allocator. */
	assert_true(host_mappings() < before + 32);
	for (uint64_t i = 0; i < 4000; i++)
		assert_int_equal(place_grant(m, i % 3, HOLE_GFN + i), 0);
	assert_int_equal(slots_used(m), 3);
	assert_true(host_mappings() < before + 32);
}

static void the_same_place_again_changes_nothing(void **state)
{
	struct machine *m = *state;

	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(place_grant(m, 2, HOLE_GFN), 0);
	assert_int_equal(m->slot_changes, 1);
}

static void indexes_without_a_frame_are_refused(void **state)
{
	struct machine *m = *state;
	const uint64_t indexes[] = {UC_GRANT_FRAMES_MAX,
				    UC_GRANT_FRAMES_MAX + 1,
				    XENMAPIDX_grant_table_status,
				    XENMAPIDX_grant_table_status | 1,
				    (1ull << 32) - 1,
				    1ull << 63,
				    UINT64_MAX};

	for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
		assert_int_equal(place_grant(m, indexes[i], HOLE_GFN), -EINVAL);
		assert_int_equal(place_grant(m, indexes[i], FREE_GFN), -EINVAL);
	}
	assert_int_equal(m->slot_changes, 0);
}

static void places_that_kvm_cannot_have_are_refused(void **state)
{
	struct machine *m = *state;

	/* A slot that is not ours. */
	m->slots[SLOTS - 1] = (struct fake_slot){.gpa = HOLE_GFN << 12, .bytes = UC_PAGE_SIZE};
	assert_int_equal(place_grant(m, 0, HOLE_GFN), -EINVAL);
	assert_int_equal(place_grant(m, 0, UINT64_MAX), -EINVAL);
	assert_int_equal(place_grant(m, 0, 1ull << 52), -EINVAL);
	assert_int_equal(place_grant(m, 0, (1ull << 52) - 1), -EINVAL);
	assert_int_equal(m->slot_changes, 0);
	assert_int_equal(m->vm.grants->used, 0);
}

/* ---- grant_table_op ---- */

static void query_size_counts_the_placed_frames(void **state)
{
	struct machine *m = *state;
	struct gnttab_query_size arg = {.dom = DOMID_SELF};

	assert_int_equal(place_grant(m, 4, HOLE_GFN), 0);
	memcpy(ram(m, ARG), &arg, sizeof(arg));
	assert_int_equal(GRANT(m, GNTTABOP_query_size, ARG, 1), 0);
	memcpy(&arg, ram(m, ARG), sizeof(arg));
	assert_int_equal(arg.status, GNTST_okay);
	assert_int_equal(arg.nr_frames, 5);
	assert_int_equal(arg.max_nr_frames, UC_GRANT_FRAMES_MAX);
}

static int16_t query_status(struct machine *m, uint16_t domid)
{
	struct gnttab_query_size arg = {.dom = domid, .nr_frames = 77, .max_nr_frames = 78};

	memcpy(ram(m, ARG), &arg, sizeof(arg));
	assert_int_equal(GRANT(m, GNTTABOP_query_size, ARG, 1), 0);
	memcpy(&arg, ram(m, ARG), sizeof(arg));
	assert_int_equal(arg.nr_frames, 77);
	assert_int_equal(arg.max_nr_frames, 78);
	return arg.status;
}

static void query_size_of_others_is_a_status(void **state)
{
	assert_int_equal(query_status(*state, 0), GNTST_permission_denied);
	assert_int_equal(query_status(*state, 5), GNTST_bad_domain);
	assert_int_equal(query_status(*state, DOMID_XEN), GNTST_bad_domain);
}

static int64_t set_version_to(struct machine *m, uint32_t version, uint32_t *now)
{
	struct gnttab_set_version arg = {.version = version};
	int64_t rc;

	memcpy(ram(m, ARG), &arg, sizeof(arg));
	rc = GRANT(m, GNTTABOP_set_version, ARG, 1);
	memcpy(&arg, ram(m, ARG), sizeof(arg));
	*now = arg.version;
	return rc;
}

static void version_one_is_the_only_one(void **state)
{
	static const struct {
		uint32_t version;
		int rc;
	} cases[] = {{1, 0}, {2, -ENOSYS}, {0, -EINVAL}, {3, -EINVAL}, {UINT32_MAX, -EINVAL}};
	uint32_t now;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(set_version_to(*state, cases[i].version, &now), cases[i].rc);
		assert_int_equal(now, 1);
	}
}

static void get_version_is_one_for_oneself(void **state)
{
	static const struct {
		uint16_t domid;
		int rc;
	} cases[] = {{DOMID_SELF, 0}, {UC_VM_DOMID, 0}, {0, -EPERM}, {5, -ESRCH}};
	struct machine *m = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gnttab_get_version arg = {.dom = cases[i].domid, .version = 99};

		memcpy(ram(m, ARG), &arg, sizeof(arg));
		assert_int_equal(GRANT(m, GNTTABOP_get_version, ARG, 1), cases[i].rc);
		memcpy(&arg, ram(m, ARG), sizeof(arg));
		assert_int_equal(arg.version, cases[i].rc ? 99 : 1);
	}
}

static void grant_results_that_cannot_be_written_fault(void **state)
{
	struct machine *m = *state;
	struct gnttab_set_version version = {.version = 1};

	memcpy(ram(m, ARG), &version, sizeof(version));
	m->readonly_page = ARG;
	assert_int_equal(GRANT(m, GNTTABOP_set_version, ARG, 1), -EFAULT);
	memset(ram(m, ARG), 0, 64);
	((struct gnttab_query_size *)ram(m, ARG))->dom = DOMID_SELF;
	assert_int_equal(GRANT(m, GNTTABOP_query_size, ARG, 1), -EFAULT);
	assert_int_equal(GRANT(m, GNTTABOP_get_version, ARG, 1), -EFAULT);
}

static void counts_are_as_xen_takes_them(void **state)
{
	struct machine *m = *state;
	const uint64_t counts[] = {0, 2, INT32_MAX, 0x80000000, UINT32_MAX, 1ull << 32};

	((struct gnttab_query_size *)ram(m, ARG))->dom = DOMID_SELF;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		assert_int_equal(GRANT(m, GNTTABOP_query_size, ARG, counts[i]), -EINVAL);
	assert_int_equal(GRANT(m, GNTTABOP_query_size, ARG, 1ull << 32 | 1), 0);
	assert_int_equal(GRANT(m, GNTTABOP_set_version, ARG, 0x80000000), -EINVAL);
	assert_int_equal(GRANT(m, GNTTABOP_get_version, ARG, UINT32_MAX), -EINVAL);
	((struct gnttab_set_version *)ram(m, ARG))->version = 1;
	assert_int_equal(GRANT(m, GNTTABOP_set_version, ARG, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(shared_info_is_the_zeroed_frame),
		SERVED(shared_info_gives_each_vcpu_its_info),
		SERVED(a_registered_info_stays_when_shared_info_moves),
		SERVED(shared_info_keeps_its_contents_when_it_moves),
		SERVED(shared_info_outside_ram_is_refused),
		SERVED(a_refused_kick_while_placing_does_not_hang),
		SERVED(other_domains_are_out_of_reach),
		SERVED(other_spaces_are_refused),
		SERVED(arguments_that_are_not_ram_fault),
		SERVED(an_argument_may_cross_pages_but_not_into_a_hole),
		SERVED(reservations_are_the_ram),
		SERVED(extents_are_as_xen_takes_them),
		SERVED(grant_frames_appear_in_a_hole),
		SERVED(a_grant_frame_over_ram_shares_its_content),
		SERVED(a_frame_that_leaves_ram_leaves_fresh_ram),
		SERVED(a_second_frame_at_one_place_replaces_the_first),
		SERVED(frames_that_wander_use_nothing_up),
		SERVED(the_same_place_again_changes_nothing),
		SERVED(indexes_without_a_frame_are_refused),
		SERVED(places_that_kvm_cannot_have_are_refused),
		SERVED(query_size_counts_the_placed_frames),
		SERVED(query_size_of_others_is_a_status),
		SERVED(version_one_is_the_only_one),
		SERVED(get_version_is_one_for_oneself),
		SERVED(grant_results_that_cannot_be_written_fault),
		SERVED(counts_are_as_xen_takes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
