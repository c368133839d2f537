/* SPDX-License-Identifier: MIT */
/*
 * Random hypercalls, seeded, from a guest that also scribbles over every page it shares. Arguments
 * are half valid: numbers near the ones that mean something, pointers at ends of pages and of RAM.
 * The sanitizers watch; what is checked here is that nothing grows and that the machine still
 * works. Arguments: number of calls, seed.
 */
#include "fake_kvm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>

#include <xen/version.h>

#include "vmm/xen/grants.h"

#define POOL_FRAMES 24u /* what the guest registers, from FREE_GFN on */

static uint64_t calls = 2000000, seed = 20260807;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

#define PICK(array, r) ((array)[(r) % (sizeof(array) / sizeof((array)[0]))])

static uint64_t any_value(void)
{
	static const uint64_t values[] = {
		0,
		1,
		2,
		3,
		4,
		5,
		7,
		8,
		15,
		16,
		0xf3,
		VCPUS,
		56,
		64,
		4032,
		4033,
		4088,
		4095,
		4096,
		RAM_FRAMES - 1,
		RAM_FRAMES,
		131071,
		131072,
		HOLE_GFN,
		HOLE_GFN + 1,
		DOMID_SELF,
		DOMID_IO,
		0x7fffffff,
		1ull << 31,
		UINT32_MAX,
		1ull << 32,
		(1ull << 52) - 1,
		1ull << 52,
		1ull << 63,
		UINT64_MAX,
	};
	uint64_t r = next_random();

	switch (r % 8) {
	case 0:
		return r >> 8;
	case 1:
		return FREE_GFN + (r >> 8) % POOL_FRAMES;
	case 2:
		return (FREE_GFN << 12) + (r >> 8) % (POOL_FRAMES * UC_PAGE_SIZE);
	case 3:
		return (r >> 8) % 40;
	default:
		return PICK(values, r >> 8);
	}
}

static uint64_t any_pointer(void)
{
	static const uint64_t pointers[] = {ARG,
					    ARG,
					    ARG,
					    ARG + 8,
					    ARG + 1,
					    ARG + UC_PAGE_SIZE - 8,
					    ARG + UC_PAGE_SIZE - 1,
					    RAM_BYTES - 8,
					    RAM_BYTES - 1,
					    RAM_BYTES,
					    UC_MEM_HOLE_START,
					    1ull << 47,
					    UINT64_MAX - 7,
					    0};

	return PICK(pointers, next_random());
}

/* The shapes that the structures have, each field half the time with a value that could be right.
 */
static void write_argument(struct machine *m, uint64_t gva)
{
	uint64_t r = next_random();
	const uint64_t small = (r >> 8) % 8, frame = FREE_GFN + (r >> 16) % POOL_FRAMES;
	uint64_t words[8];
	uint8_t *at = uc_mem_at(&m->vm.mem, gva, sizeof(words));

	for (uint32_t i = 0; i < 8; i++)
		words[i] = any_value();
	switch (r % 4) {
	case 0: /* a domain, an index or space; numbers */
		words[0] = DOMID_SELF | small << 32;
		words[1] = r >> 24 & 1 ? small / 4 : words[1];
		words[2] = r >> 25 & 1 ? frame : words[2];
		break;
	case 1: /* a frame, an offset, a vCPU */
		words[0] = r >> 24 & 1 ? frame : words[0];
		words[1] = small << 35 | small;
		break;
	case 2: /* a vCPU or a port, another number */
		words[0] = small | (r >> 32 & 0xff) << 32;
		break;
	}
	if (at)
		memcpy(at, words, sizeof(words));
}

static void scribble(struct machine *m)
{
	uint64_t r = next_random();
	uint32_t *word = ram(m,
			     (FREE_GFN << 12) + (r % (POOL_FRAMES * UC_PAGE_SIZE) & ~(uint64_t)3));

	__atomic_store_n(word, (uint32_t)any_value() | (uint32_t)(r >> 40 & 3) << 30,
			 __ATOMIC_SEQ_CST);
}

static void one_call(struct machine *m)
{
	static const uint64_t numbers[] = {
		__HYPERVISOR_memory_op,	       __HYPERVISOR_set_timer_op,
		__HYPERVISOR_xen_version,      __HYPERVISOR_console_io,
		__HYPERVISOR_grant_table_op,   __HYPERVISOR_vm_assist,
		__HYPERVISOR_vcpu_op,	       __HYPERVISOR_sched_op,
		__HYPERVISOR_event_channel_op, __HYPERVISOR_event_channel_op,
		__HYPERVISOR_hvm_op,
	};
	uint64_t r = next_random(), pointer = any_pointer();
	struct uc_hypercall hypercall = {
		.number = r % 64 ? PICK(numbers, r >> 8) : any_value(),
		.args = {(r >> 16) % 16 ? (r >> 24) % 24 : any_value(), any_value(), any_value(),
			 any_value(), any_value(), any_value()},
		.cpl = (r >> 48) % 256 == 0,
		.long_mode = (r >> 40) % 256 != 0,
	};

	if (hypercall.number == __HYPERVISOR_vcpu_op ||
	    hypercall.number == __HYPERVISOR_console_io) {
		hypercall.args[1] = (r >> 32) % 4 ? (r >> 34) % (VCPUS + 1) : any_value();
		hypercall.args[2] = pointer;
	} else {
		hypercall.args[1] = pointer;
		hypercall.args[2] = (r >> 32) % 4 ? 1 : any_value();
	}
	write_argument(m, pointer);
	m->clock_ns += r % 100000;
	m->nr_output = 0;
	(void)call_raw(m, 0, &hypercall);
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

static void any_hypercall_leaves_the_machine_whole(void **state)
{
	struct machine *m = *state;
	uint32_t mappings = host_mappings(), slots = 0;
	bool was_fifo = false, was_reset = false;
	uint32_t most_open = 0;

	m->undying = true;
	for (uint64_t i = 0; i < calls; i++) {
		if (i % 4 == 0)
			scribble(m);
		one_call(m);
		if (m->vm.domain.open_ports > most_open)
			most_open = m->vm.domain.open_ports;
		was_reset |= was_fifo && !uc_domain_is_fifo(&m->vm.domain);
		was_fifo |= uc_domain_is_fifo(&m->vm.domain);
	}
	for (uint32_t i = 0; i < SLOTS; i++)
		slots += m->slots[i].bytes != 0;
	assert_true(slots <= UC_GRANT_FRAMES_MAX);
	assert_true(host_mappings() < mappings + 3 * UC_GRANT_FRAMES_MAX + 64);
	assert_true(uc_ports_valid(&m->vm.domain) <= UC_FIFO_PORTS);
	assert_int_equal(m->failures, 0);
	assert_int_equal(CALL(m, __HYPERVISOR_xen_version, XENVER_pagesize), UC_PAGE_SIZE);
	/* It was a storm, not a drizzle: each kind got through. */
	assert_true(was_fifo && was_reset);
	assert_non_null(m->vm.domain.shared_info);
	assert_true(m->vm.grants->used > 0);
	assert_true(m->vcpu_attrs[3][KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR] > 0);
	assert_true(m->vcpu_attrs[2][KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR] > 0);
	assert_true(most_open > 5);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {SERVED(any_hypercall_leaves_the_machine_whole)};

	if (argc > 1)
		calls = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
