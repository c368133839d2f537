/* SPDX-License-Identifier: MIT */
/*
 * A machine from nothing to its end, in this order and taken down in the opposite one: RAM, kernel,
 * KVM, event channels, devices, vCPUs (all of them before the first runs: one created beside a
 * running one can crash the lab's host kernel, docs/lab.md), threads. A reboot takes everything
 * down and builds it again, so no state can leak through.
 */
#include "vmm/vm.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "vmm/boot/pvh.h"
#include "vmm/control.h"
#include "vmm/counters.h"
#include "vmm/ctl/server.h"
#include "vmm/devices.h"
#include "vmm/kvm/cpuid.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/latency.h"
#include "vmm/xen/grants.h"
#include "vmm/xen/host_ops.h"
#include "vmm/xen/timer.h"

void uc_vm_stop(struct uc_vm *vm, enum uc_vm_end end)
{
	uint32_t running = UC_VM_RUNNING;
	uint64_t one = 1;

	if (!__atomic_compare_exchange_n(&vm->end, &running, end, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return;
	(void)!write(vm->stop_event_fd, &one, sizeof(one));
}

void uc_vm_fail(struct uc_vm *vm, const char *fmt, ...)
{
	char text[sizeof(vm->diag.text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&vm->lock);
	uc_fail(&vm->diag, UC_EXIT_INTERNAL, EIO, "%s", text);
	pthread_mutex_unlock(&vm->lock);
	uc_vm_stop(vm, UC_VM_ERROR);
}

/* A guest must not be able to fill a log (XSA-130, XSA-146). */
#define SAY_MAX 100

void uc_vm_say(struct uc_vm *vm, const char *fmt, ...)
{
	uint32_t n = __atomic_fetch_add(&vm->said, 1, __ATOMIC_RELAXED);
	char text[512];
	va_list ap;

	if (n >= SAY_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	dprintf(STDERR_FILENO, "upcall run: %s%s\n", text,
		n == SAY_MAX - 1 ? " (further messages are left out)" : "");
}

/* Zeroed memory that costs nothing until it is touched. */
static void *reserve(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

#define PORTS_BYTES	(UC_FIFO_PORTS * sizeof(struct uc_port))
#define VCPUS_BYTES(vm) ((vm)->nr_vcpus * sizeof(struct uc_vcpu))
#define AFFINITY_BYTES	((UC_FIFO_PORTS + 2) * UC_ROUTING_WORDS * sizeof(uint64_t))

static int create_domain(struct uc_vm *vm, struct uc_diag *diag)
{
	struct uc_domain_config config = {.host = &vm->host,
					  .id = UC_VM_DOMID,
					  .nr_vcpus = vm->nr_vcpus,
					  .nr_ports = UC_FIFO_PORTS};
	int rc = -ENOMEM;

	vm->host = (struct uc_host){.ops = &uc_vm_host_ops,
				    .ctx = vm,
				    .domains = vm->domains,
				    .nr_domains = UC_VM_DOMID + 1};
	vm->ports = reserve(PORTS_BYTES);
	vm->evtchn_vcpus = reserve(VCPUS_BYTES(vm));
	vm->affinity = reserve(AFFINITY_BYTES);
	vm->vcpus = calloc(vm->nr_vcpus, sizeof(*vm->vcpus));
	if (vm->ports && vm->evtchn_vcpus && vm->affinity && vm->vcpus) {
		for (uint32_t i = 0; i < vm->nr_vcpus; i++)
			vm->vcpus[i] = (struct uc_vm_vcpu){.vm = vm, .fd = -1, .timer_fd = -1};
		config.ports = vm->ports;
		config.vcpus = vm->evtchn_vcpus;
		config.affinity = vm->affinity;
		rc = uc_domain_init(&vm->domain, &config);
	}
	if (rc)
		uc_fail(diag, UC_EXIT_INTERNAL, -rc, "cannot set up the event channels: %s",
			strerror(-rc));
	return rc;
}

static void destroy_domain(struct uc_vm *vm)
{
	if (vm->domains[UC_VM_DOMID])
		uc_domain_destroy(&vm->domain);
	if (vm->ports)
		munmap(vm->ports, PORTS_BYTES);
	if (vm->evtchn_vcpus)
		munmap(vm->evtchn_vcpus, VCPUS_BYTES(vm));
	if (vm->affinity)
		munmap(vm->affinity, AFFINITY_BYTES);
	free(vm->vcpus);
	vm->vcpus = NULL;
}

static int load_kernel(struct uc_vm *vm, struct uc_boot *boot, struct uc_diag *diag)
{
	struct uc_kernel kernel;
	int rc = uc_kernel_load(vm->config->kernel, &vm->mem, &kernel, diag);

	*boot = (struct uc_boot){
		.initrd = vm->config->initrd, .cmdline = vm->config->append, .cpus = vm->nr_vcpus};
	return rc ? rc : uc_boot_setup(&vm->mem, &kernel, boot, diag);
}

static int create_vcpus(struct uc_vm *vm, const struct uc_boot *boot, struct uc_diag *diag)
{
	int rc = 0;

	for (uint32_t i = 0; i < vm->nr_vcpus && !rc; i++)
		rc = uc_vcpu_create(vm, i, boot->entry_eip, boot->start_info_gpa, diag);
	return rc;
}

static int create(struct uc_vm *vm, struct uc_diag *diag)
{
	struct uc_boot boot;
	/* Files first: a wrong one is the same error on every machine. */
	int rc = uc_mem_init(&vm->mem, vm->config->memory_bytes, diag);

	if (!rc)
		rc = load_kernel(vm, &boot, diag);
	if (!rc)
		rc = uc_kvm_open(&vm->kvm, diag);
	if (!rc)
		rc = uc_kvm_map_ram(&vm->kvm, &vm->mem, diag);
	if (!rc)
		rc = uc_grants_create(vm, diag);
	if (!rc)
		rc = create_domain(vm, diag);
	if (!rc)
		rc = uc_devices_create(vm, diag);
	if (!rc)
		rc = create_vcpus(vm, &boot, diag);
	if (!rc)
		(void)uc_kvm_xen_attr(&vm->kvm, KVM_XEN_ATTR_TYPE_XEN_VERSION,
				      UC_XEN_VERSION_MAJOR << 16 | UC_XEN_VERSION_MINOR);
	return rc;
}

static void destroy(struct uc_vm *vm)
{
	for (uint32_t i = 0; vm->vcpus && i < vm->nr_vcpus; i++)
		uc_vcpu_destroy(&vm->vcpus[i]);
	uc_devices_destroy(vm);
	destroy_domain(vm);
	uc_grants_destroy(vm);
	uc_kvm_close(&vm->kvm);
	uc_mem_destroy(&vm->mem);
}

static void on_timer(void *ctx, uint32_t events)
{
	(void)events;
	uc_timer_fire(ctx);
}

static void on_stop(void *ctx, uint32_t events)
{
	(void)ctx, (void)events; /* it only ends epoll_wait() */
}

static void on_signal(void *ctx, uint32_t events)
{
	struct uc_vm *vm = ctx;
	struct signalfd_siginfo info;

	(void)events;
	if (read(vm->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		vm->quit_signal = (int)info.ssi_signo;
		uc_vm_stop(vm, UC_VM_QUIT);
	}
}

/* Serve until the end. `timers`: one source per vCPU. */
static int control(struct uc_vm *vm, struct uc_control *c, struct uc_source *timers)
{
	struct uc_source stop = {.fd = vm->stop_event_fd, .ready = on_stop};
	struct uc_source signals = {.fd = vm->signal_fd, .ready = on_signal, .ctx = vm};
	int rc = uc_control_watch(c, &stop, EPOLLIN);

	if (!rc)
		rc = uc_control_watch(c, &signals, EPOLLIN);
	for (uint32_t i = 0; i < vm->nr_vcpus && !rc; i++) {
		timers[i] = (struct uc_source){
			.fd = vm->vcpus[i].timer_fd, .ready = on_timer, .ctx = &vm->vcpus[i]};
		rc = uc_control_watch(c, &timers[i], EPOLLIN);
	}
	if (!rc)
		rc = uc_devices_attach(vm->devices, c);
	if (!rc)
		rc = uc_ctl_attach(vm->ctl, c, vm);
	while (!rc && __atomic_load_n(&vm->end, __ATOMIC_ACQUIRE) == UC_VM_RUNNING)
		rc = uc_control_step(c);
	return rc;
}

static void serve(struct uc_vm *vm)
{
	struct uc_source *timers = calloc(vm->nr_vcpus, sizeof(*timers));
	struct uc_control c = {.epoll_fd = -1};
	int rc = timers ? uc_control_open(&c) : -ENOMEM;

	if (!rc)
		rc = control(vm, &c, timers);
	if (rc)
		uc_vm_fail(vm, "the control thread failed: %s", strerror(-rc));
	uc_ctl_detach(vm->ctl);
	uc_control_close(&c);
	free(timers);
}

static void join_all(struct uc_vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	pthread_cond_broadcast(&vm->called);
	pthread_mutex_unlock(&vm->lock);
	uc_watch_join(vm); /* first: it looks at the vCPUs' threads */
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		uc_vcpu_join(&vm->vcpus[i]);
}

static int start_all(struct uc_vm *vm, struct uc_diag *diag)
{
	int rc = 0;

	pthread_mutex_lock(&vm->lock);
	for (uint32_t i = 0; i < vm->nr_vcpus && !rc; i++)
		rc = uc_vcpu_start(&vm->vcpus[i], diag);
	pthread_mutex_unlock(&vm->lock);
	if (!rc)
		rc = uc_watch_start(vm, diag);
	if (rc)
		uc_vm_stop(vm, UC_VM_ERROR);
	return rc;
}

static int run_once(struct uc_vm *vm, struct uc_diag *diag)
{
	int rc = create(vm, diag);

	if (!rc) {
		rc = start_all(vm, diag);
		uc_thread_slice(0, UC_SLICE_SHORT_NS); /* timers of the guest's wait for this one */
		if (!rc)
			serve(vm);
		join_all(vm);
		uc_counters_print(vm, -1);
	}
	destroy(vm);
	if (!rc && vm->end == UC_VM_ERROR) {
		*diag = vm->diag;
		rc = -EIO;
	}
	return rc;
}

static int exit_status(const struct uc_vm *vm)
{
	static const uint8_t statuses[] = {
		[UC_VM_POWEROFF] = UC_EXIT_OK,
		[UC_VM_REBOOT] = UC_EXIT_REBOOT,
		[UC_VM_CRASH] = UC_EXIT_CRASH,
		[UC_VM_WATCHDOG] = UC_EXIT_WATCHDOG,
		[UC_VM_TRIPLE_FAULT] = UC_EXIT_TRIPLE_FAULT,
		[UC_VM_QUIT] = UC_EXIT_OK,
	};

	/* As a shell shows a process that the signal ended. */
	return vm->quit_signal ? 128 + vm->quit_signal : statuses[vm->end];
}

/* SIGINT, SIGTERM and SIGHUP become readable instead of ending us between two steps. */
static int open_signals(sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, old);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* One machine, from nothing to its end. `like`: what is the same after a restart. */
static int run_machine(const struct uc_vm *like, enum uc_vm_end *end, int *status,
		       struct uc_diag *diag)
{
	struct uc_vm *vm = malloc(sizeof(*vm));
	int rc;

	if (!vm)
		return uc_fail(diag, UC_EXIT_INTERNAL, ENOMEM, "out of memory");
	*vm = *like;
	vm->started_ns = now_ns();
	vm->stop_event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	pthread_mutex_init(&vm->lock, NULL);
	pthread_cond_init(&vm->called, NULL);
	rc = run_once(vm, diag);
	*end = vm->end;
	*status = exit_status(vm);
	close(vm->stop_event_fd);
	pthread_cond_destroy(&vm->called);
	pthread_mutex_destroy(&vm->lock);
	free(vm);
	return rc;
}

static int run_machines(struct uc_vm *like, int *status, struct uc_diag *diag)
{
	enum uc_vm_end end;
	int rc;

	for (;; like->reboots++) {
		rc = run_machine(like, &end, status, diag);
		if (rc || end != UC_VM_REBOOT || like->config->no_reboot)
			return rc;
	}
}

int uc_vm_run(const struct uc_vm_config *config, int *status, struct uc_diag *diag)
{
	struct uc_vm_config named = *config;
	struct uc_vm like = {
		.config = &named, .nr_vcpus = config->cpus, .kvm = {.fd = -1, .vm_fd = -1}};
	sigset_t old;
	int rc = 0;

	like.signal_fd = open_signals(&old);
	if (like.signal_fd < 0)
		rc = uc_fail(diag, UC_EXIT_INTERNAL, errno, "signalfd: %s", strerror(errno));
	uc_vcpu_signal_setup();
	if (!rc)
		rc = uc_ctl_open(&like.ctl, config->name, diag);
	if (!rc) {
		named.name = uc_ctl_name(like.ctl);
		rc = run_machines(&like, status, diag);
	}
	uc_ctl_close(like.ctl);
	if (like.signal_fd >= 0)
		close(like.signal_fd);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}
