/* SPDX-License-Identifier: MIT */
/*
 * vCPU threads. The upcall is an interrupt on the vCPU's LAPIC (KVM_SIGNAL_MSI), so nothing has to
 * leave KVM_RUN to be told. An interrupt sent while the guest has its LAPIC disabled is dropped by
 * KVM; KVM itself repeats it when the guest enables the LAPIC, because it knows the vcpu_info and
 * the vector (UPCALL_VECTOR attribute). That covers facts.md 0.6.
 */
#include "vmm/kvm/vcpu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "vmm/kvm/cpuid.h"
#include "vmm/kvm/exits.h"
#include "vmm/kvm/remote.h"
#include "vmm/latency.h"
#include "vmm/trace.h"

#define MSR_MTRR_DEF_TYPE	0x2ff
#define MTRR_ENABLED_WRITE_BACK 0xc06
#define STACK_BYTES		(1u << 20)

/* Flat 32-bit segments, protected mode, no paging: the PVH entry (xen/arch-x86/hvm/start_info.h).
 */
static int set_entry_state(int fd, uint32_t entry, uint32_t start_info)
{
	struct kvm_segment code = {.limit = 0xffffffff,
				   .selector = 0x8,
				   .type = 11,
				   .present = 1,
				   .db = 1,
				   .s = 1,
				   .g = 1};
	struct kvm_segment data = {.limit = 0xffffffff,
				   .selector = 0x10,
				   .type = 3,
				   .present = 1,
				   .db = 1,
				   .s = 1,
				   .g = 1};
	struct kvm_segment task = {.limit = 0x67, .selector = 0x18, .type = 11, .present = 1};
	struct kvm_regs regs = {.rip = entry, .rbx = start_info, .rflags = 2};
	struct kvm_sregs sregs;

	if (ioctl(fd, KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = data;
	sregs.tr = task;
	sregs.cr0 = 0x11; /* PE, ET */
	sregs.cr4 = 0;
	if (ioctl(fd, KVM_SET_SREGS, &sregs) || ioctl(fd, KVM_SET_REGS, &regs))
		return -errno;
	return 0;
}

static int set_cpuid(struct uc_vm *vm, int fd, uint32_t id)
{
	struct kvm_cpuid2 *cpuid = uc_cpuid_make(vm->kvm.cpuid, id, vm->nr_vcpus, UC_VM_DOMID);
	int rc = -ENOMEM;

	if (cpuid)
		rc = ioctl(fd, KVM_SET_CPUID2, cpuid) ? -errno : 0;
	free(cpuid);
	return rc;
}

static int set_mtrr(int fd)
{
	struct {
		struct kvm_msrs header;
		struct kvm_msr_entry entry;
	} msrs = {.header.nmsrs = 1,
		  .entry = {.index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLED_WRITE_BACK}};

	return ioctl(fd, KVM_SET_MSRS, &msrs) == 1 ? 0 : -EIO;
}

static int set_up(struct uc_vm *vm, struct uc_vm_vcpu *v, uint32_t entry, uint32_t start_info)
{
	int rc = set_cpuid(vm, v->fd, v->id);

	if (!rc)
		rc = set_mtrr(v->fd);
	if (!rc)
		rc = uc_kvm_xen_vcpu_attr(v->fd, KVM_XEN_VCPU_ATTR_TYPE_VCPU_ID, v->id);
	if (!rc && v->id == 0)
		rc = set_entry_state(v->fd, entry, start_info);
	return rc;
}

int uc_vcpu_create(struct uc_vm *vm, uint32_t id, uint32_t entry, uint32_t start_info,
		   struct uc_diag *diag)
{
	struct uc_vm_vcpu *v = &vm->vcpus[id];
	int rc = 0;

	v->vm = vm;
	v->id = id;
	v->evtchn = &vm->evtchn_vcpus[id];
	v->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	v->fd = ioctl(vm->kvm.vm_fd, KVM_CREATE_VCPU, (unsigned long)id);
	if (v->timer_fd < 0 || v->fd < 0)
		rc = -errno;
	if (!rc) {
		v->run = mmap(NULL, vm->kvm.vcpu_mmap_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			      v->fd, 0);
		if (v->run == MAP_FAILED) {
			v->run = NULL;
			rc = -errno;
		}
	}
	if (!rc)
		rc = set_up(vm, v, entry, start_info);
	if (rc)
		uc_fail(diag, UC_EXIT_INTERNAL, -rc, "cannot create vCPU %u: %s", id,
			strerror(-rc));
	return rc;
}

void uc_vcpu_destroy(struct uc_vm_vcpu *v)
{
	if (v->run)
		munmap(v->run, v->vm->kvm.vcpu_mmap_bytes);
	if (v->fd >= 0)
		close(v->fd);
	if (v->timer_fd >= 0)
		close(v->timer_fd);
	if (v->stack)
		munmap(v->stack, STACK_BYTES);
}

static void on_signal(int number)
{
	(void)number; /* it only has to interrupt KVM_RUN */
}

void uc_vcpu_signal_setup(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGUSR1, &action, NULL);
}

static bool stopping(const struct uc_vm *vm)
{
	return __atomic_load_n(&vm->end, __ATOMIC_ACQUIRE) != UC_VM_RUNNING;
}

static int run_guest(struct uc_vm_vcpu *v)
{
	int rc;

	uc_trace(UC_TRACE_ENTER, v->id, 0, 0);
	__atomic_store_n(&v->inside, 1, __ATOMIC_RELAXED);
	rc = ioctl(v->fd, KVM_RUN, 0) ? -errno : 0;
	__atomic_store_n(&v->inside, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&v->exits, v->exits + 1, __ATOMIC_RELAXED);
	/* With an error the reason is that of the exit before. */
	uc_trace(UC_TRACE_EXIT, v->id, 0, rc ? KVM_EXIT_INTR : v->run->exit_reason);
	return rc;
}

static void *thread_main(void *arg)
{
	struct uc_vm_vcpu *v = arg;
	int rc;

	__atomic_store_n(&v->tid, gettid(), __ATOMIC_RELEASE);
	uc_routing_set_slice(v);
	if (__rseq_size)
		__atomic_store_n(&v->rseq,
				 (const void *)((char *)__builtin_thread_pointer() + __rseq_offset),
				 __ATOMIC_RELEASE);
	/* Until every vCPU has a thread (start_all): the guest could ask one that has none. */
	pthread_mutex_lock(&v->vm->lock);
	pthread_mutex_unlock(&v->vm->lock);
	if (v->id == 0)
		uc_trace(UC_TRACE_START, 0, 0, v->vm->reboots);
	for (;;) {
		/* First: who asks for something sets it after asking, so the next KVM_RUN returns.
		 */
		__atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		if (stopping(v->vm))
			break;
		uc_vcpu_serve(v);
		rc = run_guest(v);
		if (!rc) {
			uc_vcpu_exit(v);
		} else if (rc != -EINTR && rc != -EAGAIN) {
			uc_vm_fail(v->vm, "vCPU %u: KVM_RUN failed: %s", v->id, strerror(-rc));
			break;
		}
	}
	return NULL;
}

static int start_thread(struct uc_vm_vcpu *v)
{
	pthread_attr_t attr;
	int rc;

	v->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (v->stack == MAP_FAILED) {
		v->stack = NULL;
		return errno;
	}
	pthread_attr_init(&attr);
	rc = pthread_attr_setstack(&attr, v->stack, STACK_BYTES);
	if (!rc)
		rc = pthread_create(&v->thread, &attr, thread_main, v);
	pthread_attr_destroy(&attr);
	return rc;
}

/* All signals but ours are for the control thread. */
int uc_vcpu_start(struct uc_vm_vcpu *v, struct uc_diag *diag)
{
	sigset_t all, old;
	char name[16];
	int rc;

	sigfillset(&all);
	sigdelset(&all, SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = start_thread(v);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		return uc_fail(diag, UC_EXIT_INTERNAL, rc, "cannot start the thread of vCPU %u: %s",
			       v->id, strerror(rc));
	snprintf(name, sizeof(name), "vcpu%u", v->id);
	pthread_setname_np(v->thread, name);
	v->started = true;
	return 0;
}

void uc_vcpu_interrupt(struct uc_vm_vcpu *v)
{
	/* Set first: a signal that comes before KVM_RUN still makes the next one return at once. */
	__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(v->thread, SIGUSR1);
}

void uc_vcpu_join(struct uc_vm_vcpu *v)
{
	if (!v->started)
		return;
	uc_vcpu_interrupt(v);
	pthread_join(v->thread, NULL);
	v->started = false;
}

void uc_vcpu_kick(struct uc_vm_vcpu *v)
{
	uint8_t vector = (uint8_t)__atomic_load_n(&v->upcall_vector, __ATOMIC_SEQ_CST);
	int rc;

	if (!vector)
		return; /* uc_vcpu_use_vector() looks at upcall_pending after it set the vector */
	rc = uc_kvm_signal(&v->vm->kvm, v->id, vector);
	/* EPERM: no LAPIC took it, because the guest changed its id or switched it off: its own
	 * loss. */
	if (rc && rc != -EPERM)
		uc_vm_fail(v->vm, "vCPU %u: KVM refused interrupt %u: %s", v->id, vector,
			   strerror(-rc));
}

void uc_vcpu_use_vector(struct uc_vm_vcpu *v, uint8_t vector)
{
	__atomic_store_n(&v->upcall_vector, vector, __ATOMIC_SEQ_CST);
	if (uc_vcpu_upcall_pending(v->evtchn))
		uc_vcpu_kick(v);
}
