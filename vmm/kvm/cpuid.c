/* SPDX-License-Identifier: MIT */
/* CPUID for a Xen guest. Called once per vCPU, before it runs. */
#include "vmm/kvm/cpuid.h"

#include <stdbool.h>
#include <stdlib.h>

#include <xen/xen.h>

#include <xen/arch-x86/cpuid.h>

#define XEN_LEAVES  7 /* entries added: 0 to 5, leaf 3 with two sub-leaves */
#define CORE_LEAVES 2 /* entries added: sub-leaf 1 of 0xb and of 0x1f */

/* "Never emulate": with an invariant TSC Linux then takes the TSC itself as its clock. */
#define TSC_MODE_NEVER_EMULATE 2
#define INVARIANT_TSC	       (1u << 8) /* leaf 0x80000007, EDX */

static bool is_hypervisor_leaf(uint32_t function)
{
	return function >= 0x40000000 && function < 0x40010000;
}

static bool has_invariant_tsc(const struct kvm_cpuid2 *cpuid)
{
	for (uint32_t i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 0x80000007)
			return cpuid->entries[i].edx & INVARIANT_TSC;
	return false;
}

/* The smallest n with 2^n >= count. */
static uint32_t bits_for(uint32_t count)
{
	uint32_t bits = 0;

	while ((1u << bits) < count)
		bits++;
	return bits;
}

/* One socket, one thread per core: the topology leaves must agree with the APIC ids. */
static void set_topology(struct kvm_cpuid_entry2 *e, uint32_t apic_id, uint32_t nr_vcpus)
{
	uint32_t bits = bits_for(nr_vcpus);

	switch (e->function) {
	case 0x1:
		e->ebx = (e->ebx & 0xff00u) | apic_id << 24 | (1u << bits) << 16;
		e->ecx |= 1u << 31; /* a hypervisor is present */
		e->edx = nr_vcpus > 1 ? e->edx | 1u << 28 : e->edx & ~(1u << 28);
		break;
	case 0x4:
		e->eax = (e->eax & 0x3fffu) | ((1u << bits) - 1) << 26;
		break;
	case 0xb:
	case 0x1f:
		e->edx = apic_id;
		e->eax = e->index == 1 ? bits : 0;
		e->ebx = e->index == 0 ? 1 : e->index == 1 ? nr_vcpus : 0;
		e->ecx = e->index | (e->index == 0 ? 1u << 8 : e->index == 1 ? 2u << 8 : 0);
		break;
	case 0x80000008:
		e->ecx = (e->ecx & ~0xf0ffu) | bits << 12 | (nr_vcpus - 1);
		break;
	case 0x8000001e:
		e->eax = apic_id;
		e->ebx = apic_id;
		e->ecx = 0;
		break;
	}
}

static bool has_leaf(const struct kvm_cpuid2 *cpuid, uint32_t function, uint32_t index)
{
	for (uint32_t i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == function && cpuid->entries[i].index == index)
			return true;
	return false;
}

/* KVM (since 6.2) tells sub-leaf 0 of the topology leaves only and leaves the others to the VMM. */
static uint32_t add_core_leaves(struct kvm_cpuid_entry2 *e, const struct kvm_cpuid2 *supported,
				uint32_t apic_id, uint32_t nr_vcpus)
{
	static const uint32_t functions[CORE_LEAVES] = {0xb, 0x1f};
	uint32_t n = 0;

	for (uint32_t i = 0; i < CORE_LEAVES; i++) {
		if (!has_leaf(supported, functions[i], 0) || has_leaf(supported, functions[i], 1))
			continue;
		e[n] = (struct kvm_cpuid_entry2){.function = functions[i],
						 .index = 1,
						 .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX};
		set_topology(&e[n++], apic_id, nr_vcpus);
	}
	return n;
}

static uint32_t add_xen_leaves(struct kvm_cpuid_entry2 *e, uint32_t vcpu, uint16_t domid, bool tsc)
{
	const struct kvm_cpuid_entry2 leaves[XEN_LEAVES] = {
		{.function = XEN_CPUID_LEAF(0),
		 .eax = XEN_CPUID_LEAF(5),
		 .ebx = XEN_CPUID_SIGNATURE_EBX,
		 .ecx = XEN_CPUID_SIGNATURE_ECX,
		 .edx = XEN_CPUID_SIGNATURE_EDX},
		{.function = XEN_CPUID_LEAF(1),
		 .eax = UC_XEN_VERSION_MAJOR << 16 | UC_XEN_VERSION_MINOR},
		{.function = XEN_CPUID_LEAF(2), .eax = 1, .ebx = 0x40000000},
		{.function = XEN_CPUID_LEAF(3),
		 .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		 .ebx = tsc ? TSC_MODE_NEVER_EMULATE : 0},
		{.function = XEN_CPUID_LEAF(3),
		 .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		 .index = 1},
		{.function = XEN_CPUID_LEAF(4),
		 .eax = XEN_HVM_CPUID_VCPU_ID_PRESENT | XEN_HVM_CPUID_DOMID_PRESENT |
			XEN_HVM_CPUID_UPCALL_VECTOR,
		 .ebx = vcpu,
		 .ecx = domid},
		{.function = XEN_CPUID_LEAF(5)},
	};

	for (uint32_t i = 0; i < XEN_LEAVES; i++)
		e[i] = leaves[i];
	return XEN_LEAVES;
}

struct kvm_cpuid2 *uc_cpuid_make(const struct kvm_cpuid2 *supported, uint32_t vcpu,
				 uint32_t nr_vcpus, uint16_t domid)
{
	struct kvm_cpuid2 *made = calloc(1, sizeof(*made) +
						    (supported->nent + XEN_LEAVES + CORE_LEAVES) *
							    sizeof(made->entries[0]));
	uint32_t n = 0;

	if (!made)
		return NULL;
	for (uint32_t i = 0; i < supported->nent; i++) {
		if (is_hypervisor_leaf(supported->entries[i].function))
			continue;
		made->entries[n] = supported->entries[i];
		set_topology(&made->entries[n++], vcpu, nr_vcpus);
	}
	n += add_core_leaves(made->entries + n, supported, vcpu, nr_vcpus);
	n += add_xen_leaves(made->entries + n, vcpu, domid, has_invariant_tsc(supported));
	made->nent = n;
	return made;
}
