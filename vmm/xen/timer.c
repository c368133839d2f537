/* SPDX-License-Identifier: MIT */
#include "vmm/xen/timer.h"

#include <errno.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <xen/xen.h>

/* A guest may ask for any 64-bit time; a timer that far off never fires in practice. */
#define DELAY_MAX_NS (1ull << 60)

static int arm(struct uc_vm_vcpu *v, uint64_t delay_ns)
{
	struct itimerspec spec = {
		.it_value = {.tv_sec = (time_t)(delay_ns / 1000000000),
			     .tv_nsec = (long)(delay_ns % 1000000000)},
	};

	return timerfd_settime(v->timer_fd, 0, &spec, NULL) ? -errno : 0;
}

int uc_timer_set(struct uc_vm_vcpu *v, uint64_t timeout_ns, bool must_be_future)
{
	uint64_t now_ns, delay_ns;
	int rc = uc_kvm_clock_ns(&v->vm->kvm, &now_ns);

	if (rc)
		return rc;
	if (timeout_ns > now_ns) {
		delay_ns = timeout_ns - now_ns;
		return arm(v, delay_ns < DELAY_MAX_NS ? delay_ns : DELAY_MAX_NS);
	}
	if (must_be_future && timeout_ns < now_ns)
		return -ETIME;
	arm(v, 0);
	return uc_virq_raise(v->evtchn, VIRQ_TIMER);
}

int uc_timer_stop(struct uc_vm_vcpu *v)
{
	return arm(v, 0);
}

void uc_timer_fire(struct uc_vm_vcpu *v)
{
	uint64_t expirations;

	/* EAGAIN: the guest stopped or re-armed it meanwhile. */
	if (read(v->timer_fd, &expirations, sizeof(expirations)) == sizeof(expirations))
		uc_virq_raise(v->evtchn, VIRQ_TIMER);
}
