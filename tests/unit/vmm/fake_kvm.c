/* SPDX-License-Identifier: MIT */
#include "fake_kvm.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <xen/xen.h>

#include <xen/hvm/params.h>

#include "vmm/counters.h"
#include "vmm/devices.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/xen/grants.h"
#include "vmm/xen/host_ops.h"

#define VM_FD	    100000 /* no real descriptor */
#define RUN_BYTES   8192u
#define PORTS_BYTES (UC_FIFO_PORTS * sizeof(struct uc_port))
#define SETS_BYTES  ((UC_FIFO_PORTS + 2) * sizeof(uint64_t)) /* of VCPUS, below 64 */

static struct machine *machine;
/* 1 + the vCPU that this thread is, or acts for. */
static __thread uint32_t thread_of;

/* ---- the virtual machine's ioctls ---- */

static bool overlaps(const struct machine *m, uint32_t slot, uint64_t gpa, uint64_t bytes)
{
	if (gpa < RAM_BYTES)
		return true;
	for (uint32_t i = 0; i < SLOTS; i++)
		if (i != slot && m->slots[i].bytes && gpa < m->slots[i].gpa + m->slots[i].bytes &&
		    m->slots[i].gpa < gpa + bytes)
			return true;
	return false;
}

static int set_slot(struct machine *m, const struct kvm_userspace_memory_region *r)
{
	if (r->slot >= SLOTS || (r->memory_size && r->memory_size % UC_PAGE_SIZE))
		return EINVAL;
	if (r->memory_size && overlaps(m, r->slot, r->guest_phys_addr, r->memory_size))
		return EEXIST;
	m->slots[r->slot] = (struct fake_slot){
		.gpa = r->guest_phys_addr, .bytes = r->memory_size, .host = r->userspace_addr};
	m->slot_changes++;
	return 0;
}

static int set_vm_attr(struct machine *m, const struct kvm_xen_hvm_attr *a)
{
	if (a->type >= 16)
		return EINVAL;
	if (m->vm_attr_errno)
		return m->vm_attr_errno;
	m->vm_attrs[a->type]++;
	m->vm_attr[a->type] = a->type == KVM_XEN_ATTR_TYPE_SHARED_INFO ? a->u.shared_info.gfn
								       : a->u.long_mode;
	return 0;
}

static int signal_msi(struct machine *m, const struct kvm_msi *msi)
{
	uint32_t apic_id = msi->address_lo >> 12 & 0xff;

	if (m->signal_errno || apic_id >= VCPUS)
		return m->signal_errno ? m->signal_errno : EPERM;
	__atomic_fetch_add(&m->signals[apic_id], 1, __ATOMIC_RELAXED);
	__atomic_store_n(&m->last_vector, (uint8_t)msi->data, __ATOMIC_RELAXED);
	return 0;
}

static int vm_ioctl(struct machine *m, unsigned long request, void *arg)
{
	switch (request) {
	case KVM_SET_USER_MEMORY_REGION:
		return set_slot(m, arg);
	case KVM_XEN_HVM_SET_ATTR:
		return set_vm_attr(m, arg);
	case KVM_SIGNAL_MSI:
		return signal_msi(m, arg);
	case KVM_GET_CLOCK:
		((struct kvm_clock_data *)arg)->clock = m->clock_ns;
		return m->clock_errno;
	default:
		return ENOTTY;
	}
}

/* ---- a vCPU's ioctls ---- */

static int translate(const struct machine *m, struct kvm_translation *t)
{
	uint64_t page = t->linear_address & ~(uint64_t)(UC_PAGE_SIZE - 1);

	/* Bits 63 to 47 are alike, or the address is none. */
	t->valid = (uint64_t)((int64_t)page >> 47) + 1 <= 1 && page != m->unmapped_page;
	t->writeable = page != m->readonly_page;
	t->physical_address = t->linear_address;
	if (page == m->alias_page)
		t->physical_address = m->alias_gpa + t->linear_address % UC_PAGE_SIZE;
	return 0;
}

static int set_vcpu_attr(struct machine *m, struct uc_vm_vcpu *v, const struct kvm_xen_vcpu_attr *a)
{
	if (a->type >= 16)
		return EINVAL;
	if (m->vcpu_attr_errno)
		return m->vcpu_attr_errno;
	if (__atomic_load_n(&m->threaded, __ATOMIC_ACQUIRE) && thread_of != v->id + 1)
		__atomic_fetch_add(&m->foreign_attrs, 1, __ATOMIC_RELAXED);
	if (m->on_vcpu_attr)
		m->on_vcpu_attr(m, v, a->type);
	m->vcpu_attrs[v->id][a->type]++;
	m->vcpu_attr[v->id][a->type] = a->type == KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR ? a->u.vector
										       : a->u.gpa;
	return 0;
}

static int run(struct machine *m, struct uc_vm_vcpu *v)
{
	const struct timespec nap = {.tv_nsec = 20000};

	if (thread_of != v->id + 1) {
		thread_of = v->id + 1;
		__atomic_fetch_add(&m->running, 1, __ATOMIC_SEQ_CST);
	}
	while (!__atomic_load_n(&v->run->immediate_exit, __ATOMIC_SEQ_CST)) {
		if (m->on_run && m->on_run(m, v))
			return 0;
		if (!m->on_run)
			nanosleep(&nap, NULL);
	}
	return EINTR;
}

static int vcpu_ioctl(struct machine *m, struct uc_vm_vcpu *v, unsigned long request, void *arg)
{
	switch (request) {
	case KVM_TRANSLATE:
		return translate(m, arg);
	case KVM_XEN_VCPU_SET_ATTR:
		return set_vcpu_attr(m, v, arg);
	case KVM_RUN:
		return run(m, v);
	default:
		return ENOTTY;
	}
}

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;
	int err = EBADF;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fd == VM_FD)
		err = vm_ioctl(machine, request, arg);
	else if (fd > VM_FD && fd <= VM_FD + (int)VCPUS)
		err = vcpu_ioctl(machine, &machine->vm.vcpus[fd - VM_FD - 1], request, arg);
	if (!err)
		return 0;
	errno = err;
	return -1;
}

/* ---- what stands in for vm.c, devices.c and counters.c ---- */

void uc_vm_stop(struct uc_vm *vm, enum uc_vm_end end)
{
	uint32_t running = UC_VM_RUNNING;

	if (!((struct machine *)vm)->undying)
		__atomic_compare_exchange_n(&vm->end, &running, end, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST);
}

void uc_vm_fail(struct uc_vm *vm, const char *fmt, ...)
{
	(void)fmt;
	/* As the real one: it takes the lock, so it must not be held here. */
	pthread_mutex_lock(&vm->lock);
	((struct machine *)vm)->failures++;
	pthread_mutex_unlock(&vm->lock);
	uc_vm_stop(vm, UC_VM_ERROR);
}

void uc_vm_say(struct uc_vm *vm, const char *fmt, ...)
{
	(void)fmt;
	((struct machine *)vm)->said++;
}

void uc_counters_print(struct uc_vm *vm, int tag)
{
	((struct machine *)vm)->counters_tag = tag;
}

uint64_t uc_devices_hvm_param(const struct uc_devices *dev, uint32_t index)
{
	(void)dev;
	return index == HVM_PARAM_STORE_EVTCHN	? STORE_PORT
	       : index == HVM_PARAM_CONSOLE_PFN ? CONSOLE_PFN
						: 0;
}

void uc_devices_debug_output(struct uc_devices *dev, const void *bytes, size_t nr_bytes)
{
	struct machine *m = (struct machine *)dev;

	if (nr_bytes > sizeof(m->output) - m->nr_output)
		nr_bytes = sizeof(m->output) - m->nr_output;
	memcpy(m->output + m->nr_output, bytes, nr_bytes);
	m->nr_output += nr_bytes;
}

/* ---- the machine ---- */

static void *reserve(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

static void make_domain(struct uc_vm *vm)
{
	struct uc_domain_config config = {
		.host = &vm->host, .id = UC_VM_DOMID, .nr_vcpus = VCPUS, .nr_ports = UC_FIFO_PORTS};

	vm->host = (struct uc_host){.ops = &uc_vm_host_ops,
				    .ctx = vm,
				    .domains = vm->domains,
				    .nr_domains = UC_VM_DOMID + 1};
	config.ports = vm->ports = reserve(PORTS_BYTES);
	config.affinity = vm->affinity = reserve(SETS_BYTES);
	config.vcpus = vm->evtchn_vcpus = reserve(VCPUS * sizeof(struct uc_vcpu));
	assert_int_equal(uc_domain_init(&vm->domain, &config), 0);
}

static void make_vcpus(struct uc_vm *vm)
{
	vm->vcpus = calloc(VCPUS, sizeof(*vm->vcpus));
	assert_non_null(vm->vcpus);
	for (uint32_t i = 0; i < VCPUS; i++) {
		vm->vcpus[i] = (struct uc_vm_vcpu){.vm = vm,
						   .evtchn = &vm->evtchn_vcpus[i],
						   .id = i,
						   .fd = VM_FD + 1 + (int)i,
						   .run = reserve(RUN_BYTES)};
		vm->vcpus[i].timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
		assert_true(vm->vcpus[i].timer_fd >= 0);
	}
}

int machine_new(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));
	struct uc_diag diag = {0};

	assert_non_null(m);
	m->unmapped_page = m->readonly_page = m->alias_page = NO_PAGE;
	m->vm.config = &m->config;
	m->vm.nr_vcpus = VCPUS;
	m->vm.kvm = (struct uc_kvm){
		.fd = -1, .vm_fd = VM_FD, .vcpu_mmap_bytes = RUN_BYTES, .next_slot = 2};
	m->vm.devices = (struct uc_devices *)m;
	pthread_mutex_init(&m->vm.lock, NULL);
	pthread_cond_init(&m->vm.called, NULL);
	assert_int_equal(uc_mem_init(&m->vm.mem, RAM_BYTES, &diag), 0);
	assert_int_equal(uc_grants_create(&m->vm, &diag), 0);
	make_domain(&m->vm);
	make_vcpus(&m->vm);
	uc_vcpu_signal_setup();
	machine = m;
	*state = m;
	return 0;
}

int machine_new_served(void **state)
{
	machine_new(state);
	machine_start(*state, 1);
	return 0;
}

int machine_free(void **state)
{
	struct machine *m = *state;
	struct uc_vm *vm = &m->vm;

	m->undying = false;
	machine_stop(m, UC_VM_POWEROFF);
	assert_int_equal(m->foreign_attrs, 0);
	for (uint32_t i = 0; i < VCPUS; i++) {
		assert_null(vm->vcpus[i].calls);
		close(vm->vcpus[i].timer_fd);
		munmap(vm->vcpus[i].run, RUN_BYTES);
	}
	uc_domain_destroy(&vm->domain);
	munmap(vm->ports, PORTS_BYTES);
	munmap(vm->affinity, SETS_BYTES);
	munmap(vm->evtchn_vcpus, VCPUS * sizeof(struct uc_vcpu));
	free(vm->vcpus);
	uc_grants_destroy(vm);
	uc_mem_destroy(&vm->mem);
	pthread_cond_destroy(&vm->called);
	pthread_mutex_destroy(&vm->lock);
	free(m);
	machine = NULL;
	return 0;
}

void machine_start(struct machine *m, uint32_t first)
{
	struct uc_diag diag = {0};

	__atomic_store_n(&m->threaded, true, __ATOMIC_RELEASE);
	for (uint32_t i = first; i < VCPUS; i++)
		assert_int_equal(uc_vcpu_start(&m->vm.vcpus[i], &diag), 0);
	while (__atomic_load_n(&m->running, __ATOMIC_SEQ_CST) < VCPUS - first)
		sched_yield();
}

void machine_stop(struct machine *m, enum uc_vm_end end)
{
	uc_vm_stop(&m->vm, end);
	pthread_mutex_lock(&m->vm.lock);
	pthread_cond_broadcast(&m->vm.called);
	pthread_mutex_unlock(&m->vm.lock);
	for (uint32_t i = 0; i < VCPUS; i++)
		uc_vcpu_join(&m->vm.vcpus[i]);
	__atomic_store_n(&m->threaded, false, __ATOMIC_RELEASE);
}

void *ram(struct machine *m, uint64_t gpa)
{
	void *at = uc_mem_at(&m->vm.mem, gpa, 1);

	assert_non_null(at);
	return at;
}

int64_t call_raw(struct machine *m, uint32_t vcpu, const struct uc_hypercall *hypercall)
{
	thread_of = vcpu + 1;
	return uc_hypercall(&m->vm.vcpus[vcpu], hypercall);
}

int64_t call(struct machine *m, uint32_t vcpu, uint64_t number, const uint64_t *args)
{
	struct uc_hypercall hypercall = {.number = number, .long_mode = 1};

	memcpy(hypercall.args, args, sizeof(hypercall.args));
	return call_raw(m, vcpu, &hypercall);
}

int64_t call_arg(struct machine *m, uint64_t number, uint64_t op, void *arg, size_t bytes)
{
	int64_t rc;

	memcpy(ram(m, ARG), arg, bytes);
	rc = CALL(m, number, op, ARG);
	memcpy(arg, ram(m, ARG), bytes);
	return rc;
}
