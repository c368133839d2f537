/* SPDX-License-Identifier: MIT */
/*
 * A machine without KVM: ioctl() is wrapped at link time, the rest of vmm/kvm and vmm/xen is the
 * real thing. 64 MiB of RAM, guest-virtual addresses are guest-physical ones. What the fake KVM was
 * told is recorded here; what it shall answer is set here.
 *
 * uc_vm_stop(), uc_vm_fail() and the devices are fakes too: they only take note.
 */
#ifndef TESTS_VMM_FAKE_KVM_H
#define TESTS_VMM_FAKE_KVM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vmm/vm.h"
#include "vmm/xen/hypercall.h"

#define VCPUS	    4u
#define RAM_BYTES   UC_MEM_MIN
#define RAM_FRAMES  (RAM_BYTES / UC_PAGE_SIZE)
#define NO_PAGE	    1ull	/* of unmapped_page and readonly_page: no page starts there */
#define ARG	    0x100000ull /* where tests put arguments */
#define FREE_GFN    0x1000ull	/* and frames that they register, from 16 MiB on */
#define HOLE_GFN    (RAM_FRAMES + 16)
#define SLOTS	    256u
#define STORE_PORT  7u
#define CONSOLE_PFN 0xfeffdu

struct fake_slot {
	uint64_t gpa, bytes, host;
};

struct machine {
	struct uc_vm vm; /* first: the fakes find the machine by it */
	struct uc_vm_config config;

	/* Answers. Pages are named by their first address. */
	uint64_t unmapped_page, readonly_page;
	uint64_t alias_page, alias_gpa; /* this virtual page is that physical one */
	uint64_t clock_ns;
	int clock_errno, signal_errno, vm_attr_errno, vcpu_attr_errno;
	/* KVM_RUN of v: true when it has filled v->run with an exit; called again and again. */
	bool (*on_run)(struct machine *m, struct uc_vm_vcpu *v);
	/* KVM_XEN_VCPU_SET_ATTR is about to be carried out on v. */
	void (*on_vcpu_attr)(struct machine *m, struct uc_vm_vcpu *v, uint16_t type);
	bool undying; /* uc_vm_stop() does nothing */
	void *cookie;
	bool threaded; /* between machine_start() and machine_stop() */

	/* Notes. The counters are atomic. */
	struct fake_slot slots[SLOTS];
	uint32_t slot_changes;
	uint32_t signals[VCPUS];
	uint8_t last_vector;
	uint64_t vm_attr[16], vcpu_attr[VCPUS][16];
	uint32_t vm_attrs[16], vcpu_attrs[VCPUS][16];
	uint32_t foreign_attrs; /* set for a vCPU by a thread that is not its own */
	uint32_t running;	/* threads that have been in KVM_RUN */
	uint32_t said;		/* uc_vm_say() */
	int counters_tag;	/* uc_counters_print() */
	uint32_t failures;	/* uc_vm_fail() */
	char output[8192];
	size_t nr_output;
};

int machine_new(void **state);
/* The same with vCPUs 1 to 3 in KVM_RUN: they serve what vCPU 0, the test itself, asks of them. */
int machine_new_served(void **state);
int machine_free(void **state);

/* Start the threads of vCPUs from `first` on; end the machine and join them, as vmm/vm.c does. */
void machine_start(struct machine *m, uint32_t first);
void machine_stop(struct machine *m, enum uc_vm_end end);

void *ram(struct machine *m, uint64_t gpa);
int64_t call_raw(struct machine *m, uint32_t vcpu, const struct uc_hypercall *hypercall);
int64_t call(struct machine *m, uint32_t vcpu, uint64_t number, const uint64_t *args);
/* Copy `arg` to ARG, call with args {op, ARG}, copy it back. */
int64_t call_arg(struct machine *m, uint64_t number, uint64_t op, void *arg, size_t bytes);

#define CALL(m, number, ...)	  call(m, 0, number, (const uint64_t[6]){__VA_ARGS__})
#define CALL_ON(m, vcpu, nr, ...) call(m, vcpu, nr, (const uint64_t[6]){__VA_ARGS__})
#define SERVED(name)		  cmocka_unit_test_setup_teardown(name, machine_new_served, machine_free)
#define TEST(name)		  cmocka_unit_test_setup_teardown(name, machine_new, machine_free)

#endif
