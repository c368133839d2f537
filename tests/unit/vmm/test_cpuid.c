/* SPDX-License-Identifier: MIT */
/* What a guest sees of CPUID: vmm/kvm/cpuid.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <xen/xen.h>

#include <xen/arch-x86/cpuid.h>

#include "vmm/kvm/cpuid.h"

#define DOMID	   1u
#define HTT	   (1u << 28) /* leaf 1, EDX */
#define HYPERVISOR (1u << 31) /* leaf 1, ECX */

/* As a KVM host tells it: its own leaves and Hyper-V's among the processor's. */
static const struct kvm_cpuid_entry2 host[] = {
	{.function = 0, .eax = 0x1f, .ebx = 0x68747541, .ecx = 0x444d4163, .edx = 0x69746e65},
	{.function = 1, .eax = 0xa20f10, .ebx = 0x05100800, .ecx = 0x00200001, .edx = 0x178bfbff},
	{.function = 4, .index = 0, .flags = 1, .eax = 0xfc1fc121, .ebx = 1, .ecx = 2},
	{.function = 4, .index = 1, .flags = 1, .eax = 0xfc1fc122, .ebx = 3, .ecx = 4},
	{.function = 7, .index = 0, .flags = 1, .eax = 1, .ebx = 0x219c91a9},
	{.function = 0xb, .index = 0, .flags = 1, .eax = 9, .ebx = 9, .ecx = 9, .edx = 9},
	{.function = 0xb, .index = 1, .flags = 1, .eax = 9, .ebx = 9, .ecx = 9, .edx = 9},
	{.function = 0xb, .index = 2, .flags = 1, .eax = 9, .ebx = 9, .ecx = 9, .edx = 9},
	{.function = 0x1f, .index = 0, .flags = 1, .edx = 9},
	{.function = 0x1f, .index = 1, .flags = 1, .edx = 9},
	{.function = 0x40000000, .eax = 0x40000001, .ebx = 0x4b4d564b},
	{.function = 0x40000001, .eax = 0x01007afb},
	{.function = 0x40000100, .eax = 0x40000101, .ebx = 0x4b4d564b},
	{.function = 0x4000ffff, .eax = 5},
	{.function = 0x80000000, .eax = 0x8000001f},
	{.function = 0x80000007, .edx = 0x100},
	{.function = 0x80000008, .eax = 0x3030, .ebx = 0x111, .ecx = 0x1c7ff1ff},
	{.function = 0x8000001e, .eax = 7, .ebx = 0x107, .ecx = 1},
};

#define NR_HOST	      (sizeof(host) / sizeof(host[0]))
#define NR_HYPERVISOR 4u
#define NR_XEN	      7u

static struct kvm_cpuid2 *supported(const struct kvm_cpuid_entry2 *entries, uint32_t nent)
{
	struct kvm_cpuid2 *s = malloc(sizeof(*s) + nent * sizeof(*entries));

	assert_non_null(s);
	s->nent = nent;
	memcpy(s->entries, entries, nent * sizeof(*entries));
	return s;
}

static struct kvm_cpuid2 *make(uint32_t vcpu, uint32_t nr_vcpus)
{
	/* Exactly as large as it says: reading behind it is seen by the sanitizer. */
	struct kvm_cpuid2 *s = supported(host, NR_HOST);
	struct kvm_cpuid2 *made = uc_cpuid_make(s, vcpu, nr_vcpus, DOMID);

	assert_non_null(made);
	free(s);
	return made;
}

static const struct kvm_cpuid_entry2 *find(const struct kvm_cpuid2 *cpuid, uint32_t function,
					   uint32_t index)
{
	const struct kvm_cpuid_entry2 *found = NULL;

	for (uint32_t i = 0; i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (e->function != function || e->index != index)
			continue;
		assert_null(found); /* twice: KVM would take the first */
		found = e;
	}
	return found;
}

static void is(const struct kvm_cpuid_entry2 *e, uint32_t eax, uint32_t ebx, uint32_t ecx,
	       uint32_t edx)
{
	assert_non_null(e);
	assert_int_equal(e->eax, eax);
	assert_int_equal(e->ebx, ebx);
	assert_int_equal(e->ecx, ecx);
	assert_int_equal(e->edx, edx);
}

/* ---- hypervisor leaves ---- */

static void xens_leaves_are_the_only_hypervisor_leaves(void **state)
{
	struct kvm_cpuid2 *made = make(0, 4);
	uint32_t hypervisor = 0;

	(void)state;
	for (uint32_t i = 0; i < made->nent; i++)
		hypervisor += made->entries[i].function >> 16 == 0x4000;
	assert_int_equal(hypervisor, NR_XEN);
	assert_int_equal(made->nent, NR_HOST - NR_HYPERVISOR + NR_XEN);
	is(find(made, 0x40000000, 0), 0x40000005, XEN_CPUID_SIGNATURE_EBX, XEN_CPUID_SIGNATURE_ECX,
	   XEN_CPUID_SIGNATURE_EDX);
	free(made);
}

static void xens_leaves_tell_version_and_identity(void **state)
{
	(void)state;
	for (uint32_t vcpu = 0; vcpu < 4; vcpu++) {
		struct kvm_cpuid2 *made = make(vcpu, 4);

		is(find(made, 0x40000001, 0), UC_XEN_VERSION_MAJOR << 16 | UC_XEN_VERSION_MINOR, 0,
		   0, 0);
		is(find(made, 0x40000002, 0), 1, 0x40000000, 0, 0);
		is(find(made, 0x40000004, 0),
		   XEN_HVM_CPUID_VCPU_ID_PRESENT | XEN_HVM_CPUID_DOMID_PRESENT |
			   XEN_HVM_CPUID_UPCALL_VECTOR,
		   vcpu, DOMID, 0);
		is(find(made, 0x40000005, 0), 0, 0, 0, 0);
		free(made);
	}
}

/* KVM fills in leaf 3 by sub-leaf: without the flag it would match any index. */
static void xens_time_leaf_has_sub_leaves(void **state)
{
	struct kvm_cpuid2 *made = make(0, 1);

	(void)state;
	for (uint32_t index = 0; index < 2; index++) {
		const struct kvm_cpuid_entry2 *e = find(made, 0x40000003, index);

		assert_non_null(e);
		assert_int_equal(e->flags, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
	}
	free(made);
}

static void tsc_mode_follows_the_invariant_tsc(void **state)
{
	static const struct {
		uint32_t edx, mode;
		uint32_t nent;
	} cases[] = {{0x100, 2, 1}, {0xfffffeff, 0, 1}, {0, 0, 1}, {0x100, 0, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct kvm_cpuid_entry2 e = {.function = 0x80000007, .edx = cases[i].edx};
		struct kvm_cpuid2 *s = supported(&e, cases[i].nent);
		struct kvm_cpuid2 *made = uc_cpuid_make(s, 0, 1, DOMID);

		assert_non_null(made);
		assert_int_equal(made->nent, cases[i].nent + NR_XEN);
		assert_int_equal(find(made, 0x40000003, 0)->ebx, cases[i].mode);
		free(made);
		free(s);
	}
}

/* ---- the processor's leaves ---- */

static void what_is_not_topology_is_the_hosts(void **state)
{
	static const uint32_t functions[] = {0, 7, 0x80000000, 0x80000007};
	struct kvm_cpuid2 *made = make(3, 4);

	(void)state;
	for (size_t i = 0; i < NR_HOST; i++)
		for (size_t j = 0; j < 4; j++)
			if (host[i].function == functions[j])
				assert_memory_equal(find(made, host[i].function, host[i].index),
						    &host[i], sizeof(host[i]));
	free(made);
}

struct topology {
	uint32_t vcpus, bits;
};

static const struct topology topologies[] = {{1, 0}, {2, 1}, {3, 2},  {4, 2},  {5, 3},
					     {8, 3}, {9, 4}, {64, 6}, {65, 7}, {128, 7}};

#define FOR_EACH_TOPOLOGY(t)                                                                       \
	for (const struct topology *t = topologies;                                                \
	     t < topologies + sizeof(topologies) / sizeof(topologies[0]); t++)

static void leaf_1_has_apic_id_and_count(void **state)
{
	(void)state;
	FOR_EACH_TOPOLOGY(t)
	{
		const uint32_t last = t->vcpus - 1;
		struct kvm_cpuid2 *made = make(last, t->vcpus);

		is(find(made, 1, 0), 0xa20f10, last << 24 | 1u << t->bits << 16 | 0x0800,
		   0x00200001 | HYPERVISOR, t->vcpus > 1 ? 0x178bfbff : 0x178bfbff & ~HTT);
		free(made);
	}
}

static void leaf_4_shares_no_cache_between_threads(void **state)
{
	(void)state;
	FOR_EACH_TOPOLOGY(t)
	{
		struct kvm_cpuid2 *made = make(0, t->vcpus);
		/* Six bits for the cores of a package: 64 is the most it can say. */
		const uint32_t cores = t->bits < 6 ? (1u << t->bits) - 1 : 63;

		is(find(made, 4, 0), cores << 26 | 0x0121, 1, 2, 0);
		is(find(made, 4, 1), cores << 26 | 0x0122, 3, 4, 0);
		free(made);
	}
}

static void topology_leaves_are_one_socket_of_cores(void **state)
{
	static const uint32_t functions[] = {0xb, 0x1f};

	(void)state;
	FOR_EACH_TOPOLOGY(t)
	{
		const uint32_t last = t->vcpus - 1;
		struct kvm_cpuid2 *made = make(last, t->vcpus);

		for (size_t i = 0; i < 2; i++) {
			/* Shift to the next level, threads in it, type and number of the level. */
			is(find(made, functions[i], 0), 0, 1, 1 << 8 | 0, last);
			is(find(made, functions[i], 1), t->bits, t->vcpus, 2 << 8 | 1, last);
		}
		is(find(made, 0xb, 2), 0, 0, 2, last);
		free(made);
	}
}

/* As KVM since 6.2 tells them: the level of cores is the VMM's to add. */
static void a_topology_leaf_without_cores_gets_them(void **state)
{
	static const struct kvm_cpuid_entry2 entries[] = {{.function = 0xb, .flags = 1, .edx = 5},
							  {.function = 0x1f, .flags = 1, .edx = 5}};
	struct kvm_cpuid2 *s = supported(entries, 2);
	struct kvm_cpuid2 *made = uc_cpuid_make(s, 3, 4, DOMID);

	(void)state;
	assert_non_null(made);
	assert_int_equal(made->nent, 4 + NR_XEN);
	for (size_t i = 0; i < 2; i++) {
		is(find(made, entries[i].function, 0), 0, 1, 1 << 8 | 0, 3);
		is(find(made, entries[i].function, 1), 2, 4, 2 << 8 | 1, 3);
		assert_int_equal(find(made, entries[i].function, 1)->flags, 1);
	}
	free(made);
	free(s);
}

static void amds_leaves_agree(void **state)
{
	(void)state;
	FOR_EACH_TOPOLOGY(t)
	{
		const uint32_t last = t->vcpus - 1;
		struct kvm_cpuid2 *made = make(last, t->vcpus);

		is(find(made, 0x80000008, 0), 0x3030, 0x111,
		   (0x1c7ff1ffu & ~0xf0ffu) | t->bits << 12 | last, 0);
		is(find(made, 0x8000001e, 0), last, last, 0, 0);
		free(made);
	}
}

static void every_vcpu_has_another_apic_id(void **state)
{
	(void)state;
	for (uint32_t vcpu = 0; vcpu < 128; vcpu++) {
		struct kvm_cpuid2 *made = make(vcpu, 128);

		assert_int_equal(find(made, 1, 0)->ebx >> 24, vcpu);
		assert_int_equal(find(made, 0xb, 0)->edx, vcpu);
		assert_int_equal(find(made, 0x8000001e, 0)->eax, vcpu);
		free(made);
	}
}

static void a_host_without_leaves_gives_xens_alone(void **state)
{
	struct kvm_cpuid2 none = {0};
	struct kvm_cpuid2 *made = uc_cpuid_make(&none, 0, 1, DOMID);

	(void)state;
	assert_non_null(made);
	assert_int_equal(made->nent, NR_XEN);
	free(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xens_leaves_are_the_only_hypervisor_leaves),
		cmocka_unit_test(xens_leaves_tell_version_and_identity),
		cmocka_unit_test(xens_time_leaf_has_sub_leaves),
		cmocka_unit_test(tsc_mode_follows_the_invariant_tsc),
		cmocka_unit_test(what_is_not_topology_is_the_hosts),
		cmocka_unit_test(leaf_1_has_apic_id_and_count),
		cmocka_unit_test(leaf_4_shares_no_cache_between_threads),
		cmocka_unit_test(topology_leaves_are_one_socket_of_cores),
		cmocka_unit_test(a_topology_leaf_without_cores_gets_them),
		cmocka_unit_test(amds_leaves_agree),
		cmocka_unit_test(every_vcpu_has_another_apic_id),
		cmocka_unit_test(a_host_without_leaves_gives_xens_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
