/* SPDX-License-Identifier: MIT */
/* __HYPERVISOR_xen_version: who we say we are, and which features a guest may use. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <xen/xen.h>

#include <xen/features.h>
#include <xen/version.h>

#include "vmm/kvm/cpuid.h"
#include "vmm/xen/hypercall.h"

#define FEATURES                                                                                   \
	(1u << XENFEAT_auto_translated_physmap | 1u << XENFEAT_supervisor_mode_kernel |            \
	 1u << XENFEAT_hvm_callback_vector | 1u << XENFEAT_hvm_safe_pvclock)

static int64_t get_features(struct uc_vm_vcpu *v, uint64_t gva)
{
	struct xen_feature_info info;

	if (uc_guest_read(v, gva, &info, sizeof(info)))
		return -EFAULT;
	if (info.submap_idx != 0)
		return -EINVAL;
	info.submap = FEATURES;
	return uc_guest_write(v, gva, &info, sizeof(info));
}

/* `bytes` is the size that the ABI gives the guest's buffer; the rest is zero. */
static int64_t text(struct uc_vm_vcpu *v, uint64_t gva, const char *s, size_t bytes)
{
	char buf[1024] = {0};

	strncpy(buf, s, bytes - 1);
	return uc_guest_write(v, gva, buf, bytes);
}

int64_t uc_hc_version(struct uc_vm_vcpu *v, const uint64_t *args)
{
	switch ((uint32_t)args[0]) {
	case XENVER_version:
		return UC_XEN_VERSION_MAJOR << 16 | UC_XEN_VERSION_MINOR;
	case XENVER_extraversion:
		return text(v, args[1], ".0-upcall", sizeof(xen_extraversion_t));
	case XENVER_capabilities:
		return text(v, args[1], "hvm-3.0-x86_64 ", sizeof(xen_capabilities_info_t));
	case XENVER_changeset:
		return text(v, args[1], "upcall", sizeof(xen_changeset_info_t));
	case XENVER_get_features:
		return get_features(v, args[1]);
	case XENVER_pagesize:
		return args[1] ? -EINVAL : (int64_t)UC_PAGE_SIZE;
	default:
		return -ENOSYS;
	}
}
