/* SPDX-License-Identifier: MIT */
/*
 * __HYPERVISOR_memory_op. The guest's RAM is fixed; what it can do is place the shared info page
 * and the grant table where it wants them.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <xen/xen.h>

#include <xen/memory.h>

#include "vmm/kvm/remote.h"
#include "vmm/xen/grants.h"
#include "vmm/xen/hypercall.h"

/* Xen's: the upper bits of a command say where a preempted one goes on. */
#define MEMOP_EXTENT_SHIFT 6

/*
 * The page stays the guest's own RAM and becomes the shared info: nothing has to be taken out of
 * the memory map. Xen's page would come up zeroed, so this one is. KVM writes the wall clock there.
 */
static int64_t place_shared_info(struct uc_vm *vm, uint64_t gfn)
{
	void *page = gfn < (UINT64_MAX >> 12) ? uc_mem_at(&vm->mem, gfn << 12, UC_PAGE_SIZE) : NULL;
	int rc;

	if (!page)
		return -EINVAL;
	if (!__atomic_load_n(&vm->domain.shared_info, __ATOMIC_ACQUIRE))
		memset(page, 0, UC_PAGE_SIZE);
	rc = uc_kvm_xen_attr(&vm->kvm, KVM_XEN_ATTR_TYPE_SHARED_INFO, gfn);
	return rc ? rc : uc_domain_set_shared_info(&vm->domain, gfn);
}

/*
 * Until a vCPU registers a vcpu_info of its own, the one in the shared info is its: Linux reads the
 * TSC's frequency from the pvclock there before it registers anything.
 */
static int64_t use_shared_infos(struct uc_vm_vcpu *v, uint64_t gfn)
{
	int rc = 0;

	for (uint32_t i = 0; i < v->vm->nr_vcpus && i < UC_LEGACY_VCPUS && !rc; i++)
		if (!v->vm->evtchn_vcpus[i].info_registered)
			rc = uc_vcpu_set_attr(v, &v->vm->vcpus[i], KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO,
					      (gfn << 12) + i * sizeof(struct uc_vcpu_info));
	return rc;
}

static int64_t add_to_physmap(struct uc_vm_vcpu *v, uint64_t gva)
{
	struct xen_add_to_physmap arg;
	int64_t rc;

	if (uc_guest_read(v, gva, &arg, sizeof(arg)))
		return -EFAULT;
	if (arg.space == XENMAPSPACE_gmfn_foreign)
		return -ENOSYS;
	rc = uc_check_self(v->vm, arg.domid);
	if (rc)
		return rc;
	switch (arg.space) {
	case XENMAPSPACE_shared_info:
		/* Not under vm->lock: it may raise an upcall, and a failing kick takes that lock.
		 */
		rc = arg.idx == 0 ? place_shared_info(v->vm, arg.gpfn) : -EINVAL;
		return rc ? rc : use_shared_infos(v, arg.gpfn);
	case XENMAPSPACE_grant_table:
		pthread_mutex_lock(&v->vm->lock);
		rc = uc_grants_map(v->vm, arg.idx, arg.gpfn);
		pthread_mutex_unlock(&v->vm->lock);
		return rc;
	case XENMAPSPACE_gmfn:
	case XENMAPSPACE_gmfn_range:
		return -ENOSYS; /* RAM does not move */
	case XENMAPSPACE_dev_mmio:
		return -EACCES;
	default:
		return -EINVAL;
	}
}

static int64_t ram_pages(struct uc_vm_vcpu *v, uint64_t gva)
{
	domid_t domid;
	int rc;

	if (uc_guest_read(v, gva, &domid, sizeof(domid)))
		return -EFAULT;
	rc = uc_check_self(v->vm, domid);
	return rc ? rc : (int64_t)((v->vm->mem.low_bytes + v->vm->mem.high_bytes) / UC_PAGE_SIZE);
}

int64_t uc_hc_memory(struct uc_vm_vcpu *v, const uint64_t *args)
{
	uint64_t start_extent = args[0] >> MEMOP_EXTENT_SHIFT;

	switch (args[0] & ((1u << MEMOP_EXTENT_SHIFT) - 1)) {
	case XENMEM_add_to_physmap:
		/* The extent is only for ranges; Xen stores it as 16 bits. */
		return start_extent > UINT16_MAX ? -EDOM : add_to_physmap(v, args[1]);
	case XENMEM_current_reservation:
	case XENMEM_maximum_reservation:
		return start_extent ? -EINVAL : ram_pages(v, args[1]);
	default:
		return -ENOSYS;
	}
}
