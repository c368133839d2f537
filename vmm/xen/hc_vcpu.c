/* SPDX-License-Identifier: MIT */
/*
 * __HYPERVISOR_vcpu_op: what a vCPU registers with us. KVM keeps pvclock and run state in the
 * registered areas; the library keeps the upcall flag in vcpu_info.
 */
#include <errno.h>
#include <stdint.h>

#include <xen/xen.h>

#include <xen/vcpu.h>

#include "vmm/kvm/remote.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/xen/hypercall.h"
#include "vmm/xen/timer.h"

static int64_t register_vcpu_info(struct uc_vm_vcpu *v, struct uc_vm_vcpu *target, uint64_t gva)
{
	struct vcpu_register_vcpu_info arg;
	uint64_t gpa;
	int rc;

	if (uc_guest_read(v, gva, &arg, sizeof(arg)))
		return -EFAULT;
	if (arg.mfn >= (UINT64_MAX >> 12))
		return -EINVAL;
	rc = uc_vcpu_set_info(target->evtchn, arg.mfn, arg.offset);
	if (rc)
		return rc;
	gpa = (arg.mfn << 12) + arg.offset;
	rc = uc_vcpu_set_attr(v, target, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO, gpa);
	return rc;
}

/*
 * An area given by guest-virtual address. Linux has these in its linear map, so the physical
 * address goes on behind a page's end; where it does not, KVM writes into the guest's own RAM.
 */
static int64_t register_area(struct uc_vm_vcpu *v, struct uc_vm_vcpu *target, uint16_t attr,
			     uint64_t gva)
{
	uint64_t area_gva, gpa;
	int rc;

	if (uc_guest_read(v, gva, &area_gva, sizeof(area_gva)) || uc_guest_gpa(v, area_gva, &gpa))
		return -EFAULT;
	rc = uc_vcpu_set_attr(v, target, attr, gpa);
	if (!rc && attr == KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR)
		uc_vm_set_runstate(v->vm, target->id, gpa);
	return rc;
}

static int64_t set_singleshot_timer(struct uc_vm_vcpu *v, struct uc_vm_vcpu *target, uint64_t gva)
{
	struct vcpu_set_singleshot_timer arg;

	if (target != v)
		return -EINVAL;
	if (uc_guest_read(v, gva, &arg, sizeof(arg)))
		return -EFAULT;
	return uc_timer_set(v, arg.timeout_abs_ns, arg.flags & VCPU_SSHOTTMR_future);
}

int64_t uc_hc_vcpu(struct uc_vm_vcpu *v, const uint64_t *args)
{
	struct uc_vm_vcpu *target;
	uint32_t id = (uint32_t)args[1];

	if (id >= v->vm->nr_vcpus)
		return -ENOENT;
	target = &v->vm->vcpus[id];
	switch ((uint32_t)args[0]) {
	case VCPUOP_register_vcpu_info:
		return register_vcpu_info(v, target, args[2]);
	case VCPUOP_register_runstate_memory_area:
		return register_area(v, target, KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR, args[2]);
	case VCPUOP_register_vcpu_time_memory_area:
		return register_area(v, target, KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO, args[2]);
	case VCPUOP_stop_periodic_timer: /* none ever runs */
		return 0;
	case VCPUOP_set_singleshot_timer:
		return set_singleshot_timer(v, target, args[2]);
	case VCPUOP_stop_singleshot_timer:
		return target == v ? uc_timer_stop(v) : -EINVAL;
	default:
		return -ENOSYS;
	}
}

int64_t uc_hc_set_timer(struct uc_vm_vcpu *v, const uint64_t *args)
{
	return args[0] ? uc_timer_set(v, args[0], false) : uc_timer_stop(v);
}
