/* SPDX-License-Identifier: MIT */
/* The hypercall table, and the small hypercalls that need no file of their own. */
#include "vmm/xen/hypercall.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <xen/xen.h>

#include <xen/event_channel.h>
#include <xen/sched.h>

#include "vmm/devices.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/trace.h"

typedef int64_t (*handler)(struct uc_vm_vcpu *v, const uint64_t *args);

static const handler handlers[] = {
	[__HYPERVISOR_memory_op] = uc_hc_memory,
	[__HYPERVISOR_set_timer_op] = uc_hc_set_timer,
	[__HYPERVISOR_xen_version] = uc_hc_version,
	[__HYPERVISOR_console_io] = uc_hc_console_io,
	[__HYPERVISOR_grant_table_op] = uc_hc_grant_table,
	[__HYPERVISOR_vm_assist] = uc_hc_vm_assist,
	[__HYPERVISOR_vcpu_op] = uc_hc_vcpu,
	[__HYPERVISOR_sched_op] = uc_hc_sched,
	[__HYPERVISOR_event_channel_op] = uc_hc_event_channel,
	[__HYPERVISOR_hvm_op] = uc_hc_hvm,
};

int64_t uc_hypercall(struct uc_vm_vcpu *v, const struct uc_hypercall *call)
{
	if (call->cpl > 0)
		return -EPERM;
	/* 32-bit callers use other structures; no guest that gets here makes such calls. */
	if (!call->long_mode || call->number >= sizeof(handlers) / sizeof(handlers[0]) ||
	    !handlers[call->number])
		return -ENOSYS;
	return handlers[call->number](v, call->args);
}

int uc_check_self(const struct uc_vm *vm, uint16_t domid)
{
	if (domid == DOMID_SELF || domid == vm->domain.id)
		return 0;
	return domid == UC_DOMID_HOST ? -EPERM : -ESRCH;
}

static bool chooses_fifo(uint32_t cmd)
{
	return cmd == EVTCHNOP_init_control || cmd == UC_EVTCHNOP_INIT_CONTROLS;
}

int64_t uc_hc_event_channel(struct uc_vm_vcpu *v, const uint64_t *args)
{
	_Alignas(8) uint8_t arg[64];
	uint32_t cmd = (uint32_t)args[0];
	bool out = false;
	int bytes = uc_evtchn_arg_size(cmd, &out), rc;

	if (bytes < 0)
		return bytes;
	if (uc_guest_read(v, args[1], arg, (uint64_t)bytes))
		return -EFAULT;
	uc_trace_op(v->id, cmd, arg);
	rc = uc_evtchn_op(v->evtchn, cmd, arg);
	/* KVM lets nobody repeat a hypercall; the longest reset takes some 10 ms. */
	while (rc == 1 && __atomic_load_n(&v->vm->end, __ATOMIC_ACQUIRE) == UC_VM_RUNNING)
		rc = uc_evtchn_op(v->evtchn, UC_EVTCHNOP_RESET_CONT, arg);
	if (!rc && cmd == EVTCHNOP_send)
		uc_routing_sent(v->vm, v->id, ((struct evtchn_send *)arg)->port);
	/* The boot vCPU's control block is the first: the guest has chosen FIFO. */
	if (!rc && chooses_fifo(cmd) && v->id == 0 && !v->vm->routing_begun) {
		v->vm->routing_begun = true;
		uc_routing_begin(v->vm);
	}
	if (!rc && out && uc_guest_write(v, args[1], arg, (uint64_t)bytes))
		rc = -EFAULT;
	return rc;
}

static int64_t shutdown(struct uc_vm_vcpu *v, uint64_t gva)
{
	static const uint8_t ends[] = {
		[SHUTDOWN_poweroff] = UC_VM_POWEROFF,
		[SHUTDOWN_reboot] = UC_VM_REBOOT,
		[SHUTDOWN_crash] = UC_VM_CRASH,
		[SHUTDOWN_watchdog] = UC_VM_WATCHDOG,
	};
	struct sched_shutdown arg;
	uint8_t reason;

	if (uc_guest_read(v, gva, &arg, sizeof(arg)))
		return -EFAULT;
	reason = (uint8_t)arg.reason; /* Xen looks at no more of it */
	if (reason >= sizeof(ends) || !ends[reason])
		return -EINVAL; /* suspend and soft reset: not offered */
	uc_vm_stop(v->vm, ends[reason]);
	return 0;
}

int64_t uc_hc_sched(struct uc_vm_vcpu *v, const uint64_t *args)
{
	switch ((uint32_t)args[0]) {
	case SCHEDOP_shutdown:
		return shutdown(v, args[1]);
	case SCHEDOP_yield:
	case SCHEDOP_poll:
		/*
		 * KVM answers both itself, a poll as a yield: it may return before its event, and
		 * guests loop. Should one get here, the same answer is right.
		 */
		return 0;
	default:
		return -ENOSYS;
	}
}

int64_t uc_hc_console_io(struct uc_vm_vcpu *v, const uint64_t *args)
{
	uint32_t cmd = (uint32_t)args[0], left = (uint32_t)args[1];
	uint64_t gva = args[2];
	char buf[256];

	if (cmd == CONSOLEIO_read)
		return left > INT32_MAX ? -E2BIG : 0;
	if (cmd != CONSOLEIO_write)
		return -ENOSYS;
	/* Bounded per call; the guest calls again for more. */
	if (left > UC_PAGE_SIZE)
		return -EINVAL;
	while (left) {
		uint32_t n = left < sizeof(buf) ? left : sizeof(buf);

		if (uc_guest_read(v, gva, buf, n))
			return -EFAULT;
		uc_devices_debug_output(v->vm->devices, buf, n);
		gva += n;
		left -= n;
	}
	return 0;
}

int64_t uc_hc_vm_assist(struct uc_vm_vcpu *v, const uint64_t *args)
{
	uint32_t cmd = (uint32_t)args[0], type = (uint32_t)args[1];

	if (type != VMASST_TYPE_runstate_update_flag) /* the others are for PV guests */
		return -EINVAL;
	if (cmd != VMASST_CMD_enable && cmd != VMASST_CMD_disable)
		return -ENOSYS;
	return uc_kvm_xen_attr(&v->vm->kvm, UC_KVM_XEN_ATTR_RUNSTATE_UPDATE_FLAG,
			       cmd == VMASST_CMD_enable);
}
