/* SPDX-License-Identifier: MIT */
/* Copies to and from guest-virtual addresses, which is what hypercall arguments are. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/xen/hypercall.h"

static int translate(struct uc_vm_vcpu *v, uint64_t gva, bool write, uint64_t *gpa)
{
	struct kvm_translation t = {.linear_address = gva};

	if (ioctl(v->fd, KVM_TRANSLATE, &t) || !t.valid)
		return -EFAULT;
	/* `writeable` is constant in KVM; kept for a KVM that tells. */
	if (write && !t.writeable)
		return -EFAULT;
	*gpa = t.physical_address;
	return 0;
}

int uc_guest_gpa(struct uc_vm_vcpu *v, uint64_t gva, uint64_t *gpa)
{
	if (translate(v, gva, true, gpa) || !uc_mem_at(&v->vm->mem, *gpa, 1))
		return -EFAULT;
	return 0;
}

/* Copy page by page; `out`: from the host to the guest. */
static int copy(struct uc_vm_vcpu *v, uint64_t gva, uint8_t *host, uint64_t bytes, bool out)
{
	while (bytes) {
		uint64_t in_page = UC_PAGE_SIZE - gva % UC_PAGE_SIZE, gpa;
		uint64_t n = bytes < in_page ? bytes : in_page;
		uint8_t *guest;

		if (translate(v, gva, out, &gpa))
			return -EFAULT;
		guest = uc_mem_at(&v->vm->mem, gpa, n);
		if (!guest)
			return -EFAULT;
		memcpy(out ? guest : host, out ? host : guest, n);
		gva += n;
		host += n;
		bytes -= n;
	}
	return 0;
}

int uc_guest_read(struct uc_vm_vcpu *v, uint64_t gva, void *to, uint64_t bytes)
{
	return copy(v, gva, to, bytes, false);
}

int uc_guest_write(struct uc_vm_vcpu *v, uint64_t gva, const void *from, uint64_t bytes)
{
	return copy(v, gva, (uint8_t *)(uintptr_t)from, bytes, true);
}
