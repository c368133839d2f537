/* SPDX-License-Identifier: MIT */
#include "vmm/devices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/xen.h>

#include <xen/hvm/params.h>

#include "vmm/boot/layout.h"
#include "vmm/control.h"
#include "vmm/dev/console_stdio.h"
#include "vmm/dev/net.h"
#include "vmm/xen/grants.h"
#include "vmm/xen/store_guest.h"
#include "vmm/xen/xs_ring.h"

/* One special page from the ring below to the ring above it; both rings lie in one mapping. */
#define SPECIAL_BYTES (UC_GPA_RESERVED_END - UC_GPA_SPECIAL_START)

/* An end point whose notifications are handled on the control thread. */
struct kicked {
	struct uc_endpoint endpoint; /* first: notify() gets it */
	struct uc_source source;     /* an eventfd */
};

struct uc_devices {
	struct uc_vm *vm;
	struct uc_control *control;
	uint8_t *special; /* the guest's frames from UC_GPA_SPECIAL_START */

	struct kicked console_kick;
	struct uc_console_stdio console;
	struct uc_source console_in, console_out;
	bool console_open;

	struct kicked store_kick;
	struct uc_store store;
	struct uc_xs_ring store_ring;
	bool store_open;

	struct uc_net *net; /* NULL: none */
};

static void say(void *ctx, const char *text)
{
	struct uc_devices *dev = ctx;

	uc_vm_say(dev->vm, "%s", text);
}

/* ---- kicks ---- */

static void on_notify(struct uc_endpoint *e)
{
	struct kicked *k = (struct kicked *)e;
	uint64_t one = 1;

	/* Fails only when the count is at its end, and then the reader has been woken anyway. */
	(void)!write(k->source.fd, &one, sizeof(one));
}

static void drain(int fd)
{
	uint64_t count;

	(void)!read(fd, &count, sizeof(count));
}

static int kicked_open(struct kicked *k, struct uc_domain *d, void (*ready)(void *, uint32_t),
		       void *ctx)
{
	k->source = (struct uc_source){
		.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .ready = ready, .ctx = ctx};
	if (k->source.fd < 0)
		return -errno;
	k->endpoint.notify = on_notify;
	return uc_endpoint_open(&k->endpoint, d);
}

static void kicked_close(struct kicked *k)
{
	uc_endpoint_close(&k->endpoint);
	if (k->source.fd >= 0)
		close(k->source.fd);
}

/* ---- console ---- */

static void console_watch(struct uc_devices *dev)
{
	uc_control_watch(dev->control, &dev->console_in,
			 uc_console_want_stdin(&dev->console) ? EPOLLIN : 0);
	uc_control_watch(dev->control, &dev->console_out,
			 uc_console_want_stdout(&dev->console) ? EPOLLOUT : 0);
}

static void console_on_kick(void *ctx, uint32_t events)
{
	struct uc_devices *dev = ctx;

	(void)events;
	drain(dev->console_kick.source.fd);
	uc_console_on_kick(&dev->console);
	console_watch(dev);
}

static void console_on_stdin(void *ctx, uint32_t events)
{
	struct uc_devices *dev = ctx;

	(void)events;
	if (uc_console_on_stdin_readable(&dev->console))
		uc_vm_stop(dev->vm, UC_VM_QUIT);
	console_watch(dev);
}

static void console_on_stdout(void *ctx, uint32_t events)
{
	struct uc_devices *dev = ctx;

	(void)events;
	uc_console_on_stdout_writable(&dev->console);
	console_watch(dev);
}

static void console_notify(void *ctx)
{
	struct uc_devices *dev = ctx;

	uc_endpoint_raise(&dev->console_kick.endpoint);
}

static int console_create(struct uc_devices *dev)
{
	static const struct uc_console_stdio_ops ops = {.notify = console_notify, .log = say};
	void *page = dev->special + (UC_GPA_CONSOLE_RING - UC_GPA_SPECIAL_START);
	int rc = kicked_open(&dev->console_kick, &dev->vm->domain, console_on_kick, dev);

	if (!rc)
		rc = uc_console_stdio_open(&dev->console, page, STDIN_FILENO, STDOUT_FILENO, &ops,
					   dev);
	if (rc)
		return rc;
	dev->console_open = true;
	dev->console_in = (struct uc_source){
		.fd = uc_console_stdio_in_fd(&dev->console), .ready = console_on_stdin, .ctx = dev};
	dev->console_out = (struct uc_source){.fd = uc_console_stdio_out_fd(&dev->console),
					      .ready = console_on_stdout,
					      .ctx = dev};
	return 0;
}

void uc_devices_debug_output(struct uc_devices *dev, const void *bytes, size_t nr_bytes)
{
	(void)dev;
	/* Best effort: there is nobody to tell when the output is gone. */
	(void)!write(STDOUT_FILENO, bytes, nr_bytes);
}

/* ---- xenstore ---- */

static void store_notify(void *ctx)
{
	struct uc_devices *dev = ctx;

	uc_endpoint_raise(&dev->store_kick.endpoint);
}

static void store_on_kick(void *ctx, uint32_t events)
{
	struct uc_devices *dev = ctx;

	(void)events;
	drain(dev->store_kick.source.fd);
	/* One bounded round; what is left comes back through the loop, after the others. */
	if (uc_xs_ring_run(&dev->store_ring))
		on_notify(&dev->store_kick.endpoint);
}

static int store_create(struct uc_devices *dev)
{
	static const struct uc_xs_ring_ops ops = {.notify = store_notify, .log = say};
	const struct uc_mem *mem = &dev->vm->mem;
	struct uc_store_guest guest = {
		.domid = UC_VM_DOMID,
		.name = dev->vm->config->name,
		.n_vcpus = dev->vm->nr_vcpus,
		.memory_kib = (mem->low_bytes + mem->high_bytes) >> 10,
		.store_gfn = UC_GPA_XENSTORE_RING / UC_PAGE_SIZE,
		.console_gfn = UC_GPA_CONSOLE_RING / UC_PAGE_SIZE,
	};
	int rc = kicked_open(&dev->store_kick, &dev->vm->domain, store_on_kick, dev);

	if (!rc)
		rc = uc_store_init(&dev->store);
	if (rc)
		return rc;
	dev->store_open = true;
	guest.store_port = dev->store_kick.endpoint.port;
	guest.console_port = dev->console_kick.endpoint.port;
	uc_xs_ring_init(&dev->store_ring, &dev->store, UC_VM_DOMID,
			(void *)(dev->special + (UC_GPA_XENSTORE_RING - UC_GPA_SPECIAL_START)),
			&ops, dev);
	return uc_store_populate_guest(&dev->store, &guest);
}

/* ---- network ---- */

static int net_create(struct uc_devices *dev)
{
	struct uc_vm *vm = dev->vm;
	struct uc_net_host host = {.config = vm->config->net,
				   .store = &dev->store,
				   .domain = &vm->domain,
				   .grants = uc_gnttab_of(vm->grants, &vm->mem),
				   .domid = UC_VM_DOMID,
				   .nr_vcpus = vm->nr_vcpus,
				   .log = say};

	return host.config ? uc_net_create(&dev->net, &host) : 0;
}

struct uc_net *uc_devices_net(const struct uc_devices *dev)
{
	return dev->net;
}

/* ---- all ---- */

static int map_special(struct uc_devices *dev)
{
	void *special = mmap(NULL, SPECIAL_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (special == MAP_FAILED)
		return -errno;
	dev->special = special;
	return uc_kvm_map(&dev->vm->kvm, UC_GPA_SPECIAL_START, SPECIAL_BYTES, special);
}

int uc_devices_create(struct uc_vm *vm, struct uc_diag *diag)
{
	struct uc_devices *dev = calloc(1, sizeof(*dev));
	int rc = -ENOMEM;

	vm->devices = dev;
	if (dev) {
		dev->vm = vm;
		dev->store_kick.source.fd = dev->console_kick.source.fd = -1;
		rc = map_special(dev);
	}
	if (!rc)
		rc = console_create(dev);
	if (!rc)
		rc = store_create(dev);
	if (!rc)
		rc = net_create(dev);
	if (rc)
		uc_fail(diag, UC_EXIT_INTERNAL, -rc,
			"cannot set up console, xenstore and network: %s", strerror(-rc));
	return rc;
}

void uc_devices_destroy(struct uc_vm *vm)
{
	struct uc_devices *dev = vm->devices;

	if (!dev)
		return;
	uc_net_destroy(dev->net);
	kicked_close(&dev->console_kick);
	kicked_close(&dev->store_kick);
	if (dev->console_open) {
		/* What the guest wrote last, before it powered off. */
		uc_console_on_kick(&dev->console);
		uc_console_stdio_close(&dev->console);
	}
	if (dev->store_open) {
		uc_xs_ring_destroy(&dev->store_ring);
		uc_store_destroy(&dev->store);
	}
	if (dev->special)
		munmap(dev->special, SPECIAL_BYTES);
	free(dev);
	vm->devices = NULL;
}

int uc_devices_attach(struct uc_devices *dev, struct uc_control *control)
{
	int rc;

	dev->control = control;
	rc = uc_control_watch(control, &dev->console_kick.source, EPOLLIN);
	if (!rc)
		rc = uc_control_watch(control, &dev->store_kick.source, EPOLLIN);
	if (!rc)
		console_watch(dev);
	return rc;
}

uint64_t uc_devices_hvm_param(const struct uc_devices *dev, uint32_t index)
{
	switch (index) {
	case HVM_PARAM_STORE_PFN:
		return UC_GPA_XENSTORE_RING / UC_PAGE_SIZE;
	case HVM_PARAM_STORE_EVTCHN:
		return dev->store_kick.endpoint.port;
	case HVM_PARAM_CONSOLE_PFN:
		return UC_GPA_CONSOLE_RING / UC_PAGE_SIZE;
	case HVM_PARAM_CONSOLE_EVTCHN:
		return dev->console_kick.endpoint.port;
	default:
		return 0;
	}
}
