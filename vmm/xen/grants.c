/* SPDX-License-Identifier: MIT */
/*
 * Grant table pages and __HYPERVISOR_grant_table_op.
 *
 * A guest names the frame where a page shall appear. Linux takes one from a hole above its RAM,
 * which is given a KVM memory slot; a frame inside RAM is covered by mapping the page over it, and
 * KVM follows because it tracks the host mapping. Each page has one slot number for good, so a
 * guest that moves its pages about cannot use slots up.
 */
#include "vmm/xen/grants.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/xen.h>

#include <xen/grant_table.h>

#include "vmm/xen/hypercall.h"

int uc_grants_create(struct uc_vm *vm, struct uc_diag *diag)
{
	const size_t bytes = (size_t)UC_GRANT_FRAMES_MAX * UC_PAGE_SIZE;
	struct uc_grants *g = calloc(1, sizeof(*g));

	vm->grants = g;
	if (!g)
		return uc_fail(diag, UC_EXIT_INTERNAL, ENOMEM, "out of memory");
	g->first_slot = vm->kvm.next_slot;
	vm->kvm.next_slot += UC_GRANT_FRAMES_MAX;
	g->base = MAP_FAILED;
	g->fd = memfd_create("upcall-grants", MFD_CLOEXEC);
	if (g->fd >= 0 && !ftruncate(g->fd, (off_t)bytes))
		g->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, g->fd, 0);
	if (g->base == MAP_FAILED)
		return uc_fail(diag, UC_EXIT_INTERNAL, errno, "cannot make the grant table: %s",
			       strerror(errno));
	return 0;
}

void uc_grants_destroy(struct uc_vm *vm)
{
	struct uc_grants *g = vm->grants;

	if (!g)
		return;
	if (g->base != MAP_FAILED)
		munmap(g->base, (size_t)UC_GRANT_FRAMES_MAX * UC_PAGE_SIZE);
	if (g->fd >= 0)
		close(g->fd);
	free(g);
	vm->grants = NULL;
}

static int cover_ram(const struct uc_grants *g, uint32_t index, void *ram)
{
	void *at = mmap(ram, UC_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, g->fd,
			(off_t)index * UC_PAGE_SIZE);

	return at == MAP_FAILED ? -errno : 0;
}

static int set_slot(const struct uc_vm *vm, uint32_t index, uint64_t gpa)
{
	const struct uc_grants *g = vm->grants;
	struct kvm_userspace_memory_region region = {
		.slot = g->first_slot + index,
		.guest_phys_addr = gpa,
		.memory_size = UC_PAGE_SIZE,
		.userspace_addr = (uintptr_t)(g->base + (size_t)index * UC_PAGE_SIZE),
	};

	return ioctl(vm->kvm.vm_fd, KVM_SET_USER_MEMORY_REGION, &region) ? -EINVAL : 0;
}

int uc_grants_map(struct uc_vm *vm, uint64_t index, uint64_t gfn)
{
	struct uc_grants *g = vm->grants;
	void *ram;
	int rc;

	if (index >= UC_GRANT_FRAMES_MAX || gfn >= (UINT64_MAX >> 12))
		return -EINVAL;
	ram = uc_mem_at(&vm->mem, gfn << 12, UC_PAGE_SIZE);
	rc = ram ? cover_ram(g, (uint32_t)index, ram) : set_slot(vm, (uint32_t)index, gfn << 12);
	if (!rc && index >= g->used)
		g->used = (uint32_t)index + 1;
	return rc;
}

static int64_t query_size(struct uc_vm_vcpu *v, uint64_t gva)
{
	struct gnttab_query_size arg;

	if (uc_guest_read(v, gva, &arg, sizeof(arg)))
		return -EFAULT;
	arg.status = uc_check_self(v->vm, arg.dom) ? GNTST_bad_domain : GNTST_okay;
	if (arg.status == GNTST_okay) {
		arg.nr_frames = v->vm->grants->used;
		arg.max_nr_frames = UC_GRANT_FRAMES_MAX;
	}
	return uc_guest_write(v, gva, &arg, sizeof(arg));
}

static int64_t set_version(struct uc_vm_vcpu *v, uint64_t gva)
{
	struct gnttab_set_version arg;

	if (uc_guest_read(v, gva, &arg, sizeof(arg)))
		return -EFAULT;
	if (arg.version != 1)
		return -EINVAL;
	return uc_guest_write(v, gva, &arg, sizeof(arg));
}

static int64_t get_version(struct uc_vm_vcpu *v, uint64_t gva)
{
	struct gnttab_get_version arg;
	int rc;

	if (uc_guest_read(v, gva, &arg, sizeof(arg)))
		return -EFAULT;
	rc = uc_check_self(v->vm, arg.dom);
	if (rc)
		return rc;
	arg.version = 1;
	return uc_guest_write(v, gva, &arg, sizeof(arg));
}

int64_t uc_hc_grant_table(struct uc_vm_vcpu *v, const uint64_t *args)
{
	if (args[0] != GNTTABOP_query_size && args[0] != GNTTABOP_set_version &&
	    args[0] != GNTTABOP_get_version)
		return -ENOSYS;
	if (args[2] != 1) /* the count of operations */
		return -EINVAL;
	switch (args[0]) {
	case GNTTABOP_query_size:
		return query_size(v, args[1]);
	case GNTTABOP_set_version:
		return set_version(v, args[1]);
	default:
		return get_version(v, args[1]);
	}
}
