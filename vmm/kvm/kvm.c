/* SPDX-License-Identifier: MIT */
#include "vmm/kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "vmm/boot/layout.h"
#include "vmm/kvm/probe.h"

#define CPUID_ENTRIES 256
/* Where guests that still write the hypercall-page MSR expect it; also switches Xen support on. */
#define XEN_HYPERCALL_MSR 0x40000000u

static int read_supported_cpuid(struct uc_kvm *kvm)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) +
						     CPUID_ENTRIES * sizeof(cpuid->entries[0]));

	if (!cpuid)
		return -ENOMEM;
	cpuid->nent = CPUID_ENTRIES;
	kvm->cpuid = cpuid;
	return ioctl(kvm->fd, KVM_GET_SUPPORTED_CPUID, cpuid) ? -errno : 0;
}

/*
 * No EVTCHN_SEND: with it KVM would answer SCHEDOP_poll from the 2-level bitmap, which FIFO guests
 * leave empty (facts.md 6.1).
 */
static int enable_xen(struct uc_kvm *kvm)
{
	struct kvm_xen_hvm_config config = {
		.flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL,
		.msr = XEN_HYPERCALL_MSR,
	};
	int rc;

	if (ioctl(kvm->vm_fd, KVM_XEN_HVM_CONFIG, &config))
		return -errno;
	/* Today's Linux never writes the MSR that would tell KVM the guest is 64-bit (XSA-466). */
	rc = uc_kvm_xen_attr(kvm, KVM_XEN_ATTR_TYPE_LONG_MODE, 1);
	return rc;
}

static int create_vm(struct uc_kvm *kvm)
{
	struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {24}};
	uint64_t identity_gpa = UC_GPA_KVM_IDENTITY_MAP;

	kvm->vm_fd = ioctl(kvm->fd, KVM_CREATE_VM, 0);
	if (kvm->vm_fd < 0)
		return -errno;
	/* For Intel's real-mode emulation; both fail on AMD, which needs neither. */
	(void)ioctl(kvm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_gpa);
	(void)ioctl(kvm->vm_fd, KVM_SET_TSS_ADDR, (unsigned long)UC_GPA_KVM_TSS);
	if (ioctl(kvm->vm_fd, KVM_ENABLE_CAP, &split))
		return -errno;
	return enable_xen(kvm);
}

int uc_kvm_open(struct uc_kvm *kvm, struct uc_diag *diag)
{
	struct uc_kvm_probe probe;
	int rc;

	*kvm = (struct uc_kvm){.fd = -1, .vm_fd = -1};
	uc_kvm_probe(&probe);
	rc = uc_kvm_require(&probe, diag);
	if (rc)
		return rc;

	kvm->fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm->fd < 0)
		return uc_fail(diag, UC_EXIT_NO_KVM, errno, "cannot open /dev/kvm: %s",
			       strerror(errno));
	kvm->vcpu_mmap_bytes = (uint32_t)ioctl(kvm->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	rc = read_supported_cpuid(kvm);
	if (!rc)
		rc = create_vm(kvm);
	if (rc)
		uc_fail(diag, UC_EXIT_KVM_CAP, -rc,
			"KVM refused to make a machine for Xen guests (%s); try `upcall doctor`",
			strerror(-rc));
	return rc;
}

void uc_kvm_close(struct uc_kvm *kvm)
{
	if (kvm->vm_fd >= 0)
		close(kvm->vm_fd);
	if (kvm->fd >= 0)
		close(kvm->fd);
	free(kvm->cpuid);
	*kvm = (struct uc_kvm){.fd = -1, .vm_fd = -1};
}

int uc_kvm_map(struct uc_kvm *kvm, uint64_t gpa, uint64_t bytes, void *host)
{
	struct kvm_userspace_memory_region region = {
		.slot = __atomic_fetch_add(&kvm->next_slot, 1, __ATOMIC_RELAXED),
		.guest_phys_addr = gpa,
		.memory_size = bytes,
		.userspace_addr = (uintptr_t)host,
	};

	return ioctl(kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) ? -errno : 0;
}

int uc_kvm_map_ram(struct uc_kvm *kvm, const struct uc_mem *mem, struct uc_diag *diag)
{
	int rc = uc_kvm_map(kvm, 0, mem->low_bytes, mem->base);

	if (!rc && mem->high_bytes)
		rc = uc_kvm_map(kvm, UC_MEM_4G, mem->high_bytes, mem->base + mem->low_bytes);
	if (rc)
		uc_fail(diag, UC_EXIT_MEMORY, -rc, "KVM refused the guest's memory: %s",
			strerror(-rc));
	return rc;
}

int uc_kvm_signal(const struct uc_kvm *kvm, uint32_t apic_id, uint8_t vector)
{
	struct kvm_msi msi = {.address_lo = 0xfee00000u | apic_id << 12, .data = vector};

	return ioctl(kvm->vm_fd, KVM_SIGNAL_MSI, &msi) < 0 ? -errno : 0;
}

int uc_kvm_clock_ns(const struct uc_kvm *kvm, uint64_t *now_ns)
{
	struct kvm_clock_data clock = {0};

	if (ioctl(kvm->vm_fd, KVM_GET_CLOCK, &clock))
		return -errno;
	*now_ns = clock.clock;
	return 0;
}

static uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Both clocks are corrected to the same time; in this time they part by half a millisecond at most.
 */
#define CLOCK_GOOD_FOR_NS 1000000000u

uint64_t uc_kvm_clock_about_ns(struct uc_kvm *kvm)
{
	uint64_t now_ns = monotonic_ns(), exact_ns;

	if (now_ns - __atomic_load_n(&kvm->clock_noted_ns, __ATOMIC_RELAXED) > CLOCK_GOOD_FOR_NS &&
	    !uc_kvm_clock_ns(kvm, &exact_ns)) {
		__atomic_store_n(&kvm->clock_offset_ns, exact_ns - now_ns, __ATOMIC_RELAXED);
		__atomic_store_n(&kvm->clock_noted_ns, now_ns, __ATOMIC_RELAXED);
	}
	return now_ns + __atomic_load_n(&kvm->clock_offset_ns, __ATOMIC_RELAXED);
}

int uc_kvm_xen_attr(const struct uc_kvm *kvm, uint16_t type, uint64_t value)
{
	struct kvm_xen_hvm_attr attr = {.type = type};

	if (type == KVM_XEN_ATTR_TYPE_SHARED_INFO)
		attr.u.shared_info.gfn = value;
	else if (type == KVM_XEN_ATTR_TYPE_XEN_VERSION)
		attr.u.xen_version = (uint32_t)value;
	else
		attr.u.long_mode = (uint8_t)value;
	return ioctl(kvm->vm_fd, KVM_XEN_HVM_SET_ATTR, &attr) ? -errno : 0;
}

int uc_kvm_xen_vcpu_attr(int vcpu_fd, uint16_t type, uint64_t value)
{
	struct kvm_xen_vcpu_attr attr = {.type = type};

	if (type == KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR)
		attr.u.vector = (uint8_t)value;
	else if (type == KVM_XEN_VCPU_ATTR_TYPE_VCPU_ID)
		attr.u.vcpu_id = (uint32_t)value;
	else
		attr.u.gpa = value;
	return ioctl(vcpu_fd, KVM_XEN_VCPU_SET_ATTR, &attr) ? -errno : 0;
}
