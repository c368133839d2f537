/* SPDX-License-Identifier: MIT */
/*
 * Grant table pages and __HYPERVISOR_grant_table_op.
 *
 * A guest names the frame where a page shall appear. Linux takes one from a hole above its RAM,
 * which is given a KVM memory slot; a frame inside RAM is covered by mapping the page over it, and
 * KVM follows because it tracks the host mapping. Each page has one slot number for good, and is in
 * one place at a time: what it leaves becomes a hole or fresh RAM again. So a guest that moves its
 * pages about uses up neither slots nor host mappings.
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
	for (uint32_t i = 0; i < UC_GRANT_FRAMES_MAX; i++)
		g->gfn[i] = UC_GRANT_NOWHERE;
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

/* `bytes`: a page, or 0 to take the slot away. */
static int set_slot(const struct uc_vm *vm, uint32_t index, uint64_t gpa, uint64_t bytes)
{
	const struct uc_grants *g = vm->grants;
	struct kvm_userspace_memory_region region = {
		.slot = g->first_slot + index,
		.guest_phys_addr = gpa,
		.memory_size = bytes,
		.userspace_addr = (uintptr_t)(g->base + (size_t)index * UC_PAGE_SIZE),
	};

	return ioctl(vm->kvm.vm_fd, KVM_SET_USER_MEMORY_REGION, &region) ? -EINVAL : 0;
}

static void *ram_at(const struct uc_vm *vm, uint64_t gfn)
{
	return uc_mem_at(&vm->mem, gfn << 12, UC_PAGE_SIZE);
}

/* Another frame that is at `gfn` goes away, as in Xen. RAM is simply covered once more. */
static void evict(struct uc_vm *vm, uint64_t gfn)
{
	struct uc_grants *g = vm->grants;

	for (uint32_t i = 0; i < UC_GRANT_FRAMES_MAX; i++) {
		if (g->gfn[i] != gfn)
			continue;
		if (!ram_at(vm, gfn))
			set_slot(vm, i, gfn << 12, 0);
		g->gfn[i] = UC_GRANT_NOWHERE;
	}
}

/* The frame is no longer at `old` but at `now`. A slot that moved from hole to hole has left. */
static void leave(struct uc_vm *vm, uint32_t index, uint64_t old, bool now_in_ram)
{
	void *ram = ram_at(vm, old);

	if (ram)
		/* Should that fail, it stays an alias of the frame: the guest's own either way. */
		(void)mmap(ram, UC_PAGE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	else if (now_in_ram)
		set_slot(vm, index, old << 12, 0);
}

int uc_grants_map(struct uc_vm *vm, uint64_t index, uint64_t gfn)
{
	struct uc_grants *g = vm->grants;
	uint64_t old;
	void *ram;
	int rc;

	if (index >= UC_GRANT_FRAMES_MAX || gfn >= (UINT64_MAX >> 12))
		return -EINVAL;
	old = g->gfn[index];
	if (old == gfn)
		return 0;
	evict(vm, gfn);
	ram = ram_at(vm, gfn);
	rc = ram ? cover_ram(g, (uint32_t)index, ram)
		 : set_slot(vm, (uint32_t)index, gfn << 12, UC_PAGE_SIZE);
	if (rc)
		return rc;
	if (old != UC_GRANT_NOWHERE)
		leave(vm, (uint32_t)index, old, ram);
	g->gfn[index] = gfn;
	if (index >= g->used)
		__atomic_store_n(&g->used, (uint32_t)index + 1, __ATOMIC_RELAXED);
	return 0;
}

static int64_t query_size(struct uc_vm_vcpu *v, uint64_t gva)
{
	struct gnttab_query_size arg;
	int rc;

	if (uc_guest_read(v, gva, &arg, sizeof(arg)))
		return -EFAULT;
	rc = uc_check_self(v->vm, arg.dom);
	arg.status = rc == -ESRCH ? GNTST_bad_domain : rc ? GNTST_permission_denied : GNTST_okay;
	if (!rc) {
		arg.nr_frames = __atomic_load_n(&v->vm->grants->used, __ATOMIC_RELAXED);
		arg.max_nr_frames = UC_GRANT_FRAMES_MAX;
	}
	return uc_guest_write(v, gva, &arg, sizeof(arg));
}

/* As a Xen that offers version 1 only. The guest is told the version it has in each case. */
static int64_t set_version(struct uc_vm_vcpu *v, uint64_t gva)
{
	struct gnttab_set_version arg;
	int rc;

	if (uc_guest_read(v, gva, &arg, sizeof(arg)))
		return -EFAULT;
	rc = arg.version == 1 ? 0 : arg.version == 2 ? -ENOSYS : -EINVAL;
	arg.version = 1;
	return uc_guest_write(v, gva, &arg, sizeof(arg)) ? -EFAULT : rc;
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
	const int32_t count = (int32_t)args[2]; /* of operations; some take one whatever it says */

	switch ((uint32_t)args[0]) {
	case GNTTABOP_query_size:
		return count != 1 ? -EINVAL : query_size(v, args[1]);
	case GNTTABOP_set_version:
		return count < 0 ? -EINVAL : set_version(v, args[1]);
	case GNTTABOP_get_version:
		return count < 0 ? -EINVAL : get_version(v, args[1]);
	default:
		return -ENOSYS;
	}
}
