/* SPDX-License-Identifier: MIT */
/* __HYPERVISOR_hvm_op: parameters, and the vCPU's upcall vector. */
#include <errno.h>
#include <stdint.h>

#include <xen/xen.h>

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>

#include "vmm/devices.h"
#include "vmm/kvm/remote.h"
#include "vmm/xen/hypercall.h"

/* Below are exceptions, which an event must not look like (Xen: hvmop_set_evtchn_upcall_vector). */
#define VECTOR_MIN 0x10

/*
 * Xen's errors for parameters that a guest may not touch (hvm_allow_get_param,
 * hvm_allow_set_param): some are gone, the rest is the toolstack's. 0: it may be read.
 */
static int param_error(uint32_t index)
{
	switch (index) {
	case HVM_PARAM_CALLBACK_IRQ:
	case HVM_PARAM_STORE_PFN:
	case HVM_PARAM_STORE_EVTCHN:
	case HVM_PARAM_CONSOLE_PFN:
	case HVM_PARAM_CONSOLE_EVTCHN:
	case HVM_PARAM_VM86_TSS:
	case HVM_PARAM_VM86_TSS_SIZED:
	case HVM_PARAM_ACPI_IOPORTS_LOCATION:
	case HVM_PARAM_VM_GENERATION_ID_ADDR:
	case HVM_PARAM_ALTP2M:
	case HVM_PARAM_X87_FIP_WIDTH:
		return 0;
	case 4: /* deprecated ones, which xen/hvm/params.h names only for toolstacks */
	case 13:
	case 20 ... 26:
	case 30:
		return -EINVAL;
	default:
		return -EPERM;
	}
}

static int64_t get_param(struct uc_vm_vcpu *v, uint64_t gva)
{
	struct xen_hvm_param arg;
	int rc;

	if (uc_guest_read(v, gva, &arg, sizeof(arg)))
		return -EFAULT;
	if (arg.index >= HVM_NR_PARAMS)
		return -EINVAL;
	rc = uc_check_self(v->vm, arg.domid);
	if (!rc)
		rc = param_error(arg.index);
	if (rc)
		return rc;
	arg.value = uc_devices_hvm_param(v->vm->devices, arg.index);
	return uc_guest_write(v, gva, &arg, sizeof(arg));
}

/*
 * Linux sets CALLBACK_IRQ to GSI 1 once it has per-vCPU vectors, only to tell old toolstacks that
 * it is there; a PVH guest has no GSIs, so Xen accepts and ignores it, and so do we. The global
 * callback vector is not offered.
 */
static int64_t set_callback(uint64_t value)
{
	return value >> 56 == HVM_PARAM_CALLBACK_TYPE_VECTOR && (value & 0xff) ? -ENOSYS : 0;
}

static int64_t set_param(struct uc_vm_vcpu *v, uint64_t gva)
{
	struct xen_hvm_param arg;
	int rc;

	if (uc_guest_read(v, gva, &arg, sizeof(arg)))
		return -EFAULT;
	if (arg.index >= HVM_NR_PARAMS)
		return -EINVAL;
	rc = uc_check_self(v->vm, arg.domid);
	if (rc)
		return rc;
	if (arg.index == HVM_PARAM_CALLBACK_IRQ)
		return set_callback(arg.value);
	if (arg.index == HVM_PARAM_ALTP2M)
		return -EEXIST;
	/* Those that Xen would let a guest set have no effect here: better refused than ignored. */
	rc = param_error(arg.index);
	return rc ? rc : -EPERM;
}

static int64_t set_upcall_vector(struct uc_vm_vcpu *v, uint64_t gva)
{
	struct xen_hvm_evtchn_upcall_vector arg;

	if (uc_guest_read(v, gva, &arg, sizeof(arg)))
		return -EFAULT;
	if (arg.vector < VECTOR_MIN)
		return -EINVAL;
	if (arg.vcpu >= v->vm->nr_vcpus)
		return -ENOENT;
	return uc_vcpu_set_attr(v, &v->vm->vcpus[arg.vcpu], KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR,
				arg.vector);
}

int64_t uc_hc_hvm(struct uc_vm_vcpu *v, const uint64_t *args)
{
	switch (args[0]) {
	case HVMOP_set_param:
		return set_param(v, args[1]);
	case HVMOP_get_param:
		return get_param(v, args[1]);
	case HVMOP_set_evtchn_upcall_vector:
		return set_upcall_vector(v, args[1]);
	default:
		return -ENOSYS;
	}
}
