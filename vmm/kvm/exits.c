/* SPDX-License-Identifier: MIT */
/* What a vCPU thread does when KVM_RUN returns. One small function per exit reason. */
#include "vmm/kvm/exits.h"

#include <string.h>
#include <sys/ioctl.h>

#include "vmm/boot/acpi.h"
#include "vmm/counters.h"
#include "vmm/devices.h"
#include "vmm/xen/hypercall.h"

static void port_write(struct uc_vm *vm, uint16_t port, uint8_t value)
{
	switch (port) {
	case UC_PORT_DEBUG:
		uc_devices_debug_output(vm->devices, &value, 1);
		break;
	case UC_PORT_COUNTERS:
		uc_counters_print(vm, value);
		break;
	case UC_ACPI_SLEEP_CONTROL:
		if (value == UC_ACPI_SLEEP_POWEROFF)
			uc_vm_stop(vm, UC_VM_POWEROFF);
		break;
	case UC_ACPI_RESET:
		if (value == UC_ACPI_RESET_VALUE)
			uc_vm_stop(vm, UC_VM_REBOOT);
		break;
	}
}

/* Ports nobody owns read as all ones; the sleep status register reads 0: never woken. */
static void on_io(struct uc_vm_vcpu *v)
{
	struct kvm_run *run = v->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	uint32_t bytes = run->io.size * run->io.count;

	if (run->io.direction == KVM_EXIT_IO_IN) {
		memset(data, run->io.port == UC_ACPI_SLEEP_STATUS ? 0 : 0xff, bytes);
		return;
	}
	for (uint32_t i = 0; i < run->io.count; i++)
		port_write(v->vm, run->io.port, data[i * run->io.size]);
}

static void on_xen(struct uc_vm_vcpu *v)
{
	struct kvm_xen_exit *xen = &v->run->xen;
	struct uc_hypercall call = {
		.number = xen->u.hcall.input,
		.args = {xen->u.hcall.params[0], xen->u.hcall.params[1], xen->u.hcall.params[2],
			 xen->u.hcall.params[3], xen->u.hcall.params[4], xen->u.hcall.params[5]},
		.cpl = xen->u.hcall.cpl,
		.long_mode = xen->u.hcall.longmode,
	};

	if (xen->type != KVM_EXIT_XEN_HCALL) {
		uc_vm_fail(v->vm, "vCPU %u: unknown Xen exit %u", v->id, xen->type);
		return;
	}
	xen->u.hcall.result = (uint64_t)uc_hypercall(v, &call);
}

/* A triple fault leaves no words of the guest's own: say where it happened. */
static void on_shutdown(struct uc_vm_vcpu *v)
{
	struct kvm_sregs s = {0};
	struct kvm_regs r = {0};

	(void)ioctl(v->fd, KVM_GET_REGS, &r);
	(void)ioctl(v->fd, KVM_GET_SREGS, &s);
	uc_vm_say(
		v->vm,
		"vCPU %u: triple fault: rip 0x%llx rsp 0x%llx rflags 0x%llx cr0 0x%llx cr2 0x%llx "
		"cr3 0x%llx cr4 0x%llx efer 0x%llx idt 0x%llx+0x%x gdt 0x%llx+0x%x tr 0x%llx",
		v->id, r.rip, r.rsp, r.rflags, s.cr0, s.cr2, s.cr3, s.cr4, s.efer, s.idt.base,
		s.idt.limit, s.gdt.base, s.gdt.limit, s.tr.base);
	uc_vm_stop(v->vm, UC_VM_TRIPLE_FAULT);
}

void uc_vcpu_exit(struct uc_vm_vcpu *v)
{
	struct kvm_run *run = v->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		on_io(v);
		break;
	case KVM_EXIT_MMIO: /* nothing there */
		if (!run->mmio.is_write)
			memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
		break;
	case KVM_EXIT_XEN:
		on_xen(v);
		break;
	case KVM_EXIT_SHUTDOWN:
		on_shutdown(v);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IOAPIC_EOI:
		break;
	case KVM_EXIT_FAIL_ENTRY:
		uc_vm_fail(v->vm, "vCPU %u: KVM could not enter the guest (hardware reason 0x%llx)",
			   v->id,
			   (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		uc_vm_fail(v->vm,
			   "vCPU %u: KVM internal error %u (an instruction it cannot emulate?)",
			   v->id, run->internal.suberror);
		break;
	default:
		uc_vm_fail(v->vm, "vCPU %u: KVM exit %u, which upcall does not know", v->id,
			   run->exit_reason);
	}
}
