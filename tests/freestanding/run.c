/* SPDX-License-Identifier: MIT */
/*
 * A program without a C library that uses all layers of lib/ once: boots a FIFO guest of two vCPUs,
 * raises, hands over, unmasks. Exit status 0, or the number of the first step that went wrong.
 */
#include <stddef.h>
#include <string.h>

#include <upcall/evtchn.h>
#include <upcall/guest.h>
#include <upcall/route.h>

#define VCPUS 2
#define PORTS 16

enum { SHARED, CONTROL, EVENTS = CONTROL + VCPUS, FRAMES };
static uint8_t ram[FRAMES][UC_FRAME_SIZE] __attribute__((aligned(UC_FRAME_SIZE)));
static int mapped, kicks[VCPUS], handled[VCPUS], notified;
static enum uc_run_state state[VCPUS];

static struct uc_domain *domains[2];
static struct uc_domain domain;
static struct uc_vcpu vcpus[VCPUS];
static struct uc_port ports[PORTS];
static uint64_t affinity[PORTS + 2];
static struct uc_guest guest;
static struct uc_guest_vcpu gv[VCPUS];

void *memcpy(void *to, const void *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((volatile uint8_t *)to)[i] = ((const uint8_t *)from)[i];
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((volatile uint8_t *)to)[i] = (uint8_t)byte;
	return to;
}

static void *map_frame(void *ctx, struct uc_domain *d, uint64_t gfn)
{
	(void)ctx, (void)d;
	mapped++;
	return ram[gfn];
}

static void unmap_frame(void *ctx, struct uc_domain *d, void *frame)
{
	(void)ctx, (void)d, (void)frame;
	mapped--;
}

static void kick(void *ctx, struct uc_vcpu *v)
{
	(void)ctx;
	kicks[v->id]++;
}

static enum uc_run_state run_state(void *ctx, const struct uc_vcpu *v, uint64_t *since)
{
	(void)ctx;
	*since = 0;
	return state[v->id];
}

static const struct uc_host_ops host_ops = {
	.map_frame = map_frame,
	.unmap_frame = unmap_frame,
	.kick = kick,
	.wake = kick,
	.run_state = run_state,
};
static struct uc_host host = {.ops = &host_ops, .domains = domains, .nr_domains = 2};

static void guest_unmask(void *ctx, uint32_t port)
{
	(void)ctx;
	uc_unmask(&domain, port);
}

static void guest_handle(void *ctx, uint32_t vcpu, uint32_t port)
{
	(void)ctx;
	uc_guest_clear(&guest, port);
	handled[vcpu]++;
}

static const struct uc_guest_ops guest_ops = {.unmask = guest_unmask, .handle = guest_handle};

static void notify(struct uc_endpoint *e)
{
	(void)e;
	notified++;
}

static int boot(void)
{
	struct uc_shared_info *shared = (void *)ram[SHARED];
	int rc = uc_domain_set_shared_info(&domain, SHARED);
	uint32_t ipi;

	guest.ops = &guest_ops;
	guest.fifo = true;
	guest.event_page[0] = (void *)ram[EVENTS];
	for (uint32_t i = 0; i < VCPUS; i++) {
		gv[i].guest = &guest;
		gv[i].id = i;
		gv[i].info = &shared->vcpu_info[i];
		gv[i].control = (void *)ram[CONTROL + i];
		rc |= uc_init_control(&domain, i, CONTROL + i, 0) | uc_bind_ipi(&domain, i, &ipi);
	}
	return rc | uc_expand_array(&domain, EVENTS);
}

#define STEP(n, good)                                                                              \
	do {                                                                                       \
		if (!(good))                                                                       \
			return n;                                                                  \
	} while (0)

int steps(void);
int steps(void)
{
	struct uc_domain_config config = {.host = &host,
					  .id = 1,
					  .vcpus = vcpus,
					  .nr_vcpus = VCPUS,
					  .ports = ports,
					  .nr_ports = PORTS,
					  .affinity = affinity};
	struct uc_endpoint e = {.notify = notify};
	uint64_t only_1 = 2;

	STEP(1, !uc_domain_init(&domain, &config));
	STEP(2, !boot() && uc_domain_is_fifo(&domain) && mapped == FRAMES);
	STEP(3, !uc_endpoint_open(&e, &domain) && !uc_endpoint_raise(&e) && kicks[0] == 1);
	STEP(4, uc_guest_upcall(&gv[0]) == 1 && handled[0] == 1);
	STEP(5, !uc_send(&domain, e.port) && notified == 1);
	uc_guest_mask(&guest, e.port);
	STEP(6, !uc_endpoint_raise(&e) && !uc_guest_upcall(&gv[0]));
	uc_guest_unmask(&guest, e.port);
	STEP(7, uc_guest_upcall(&gv[0]) == 1 && handled[0] == 2);
	STEP(8, !uc_domain_set_policy(&domain, UC_POLICY_FOLLOW) && !uc_endpoint_raise(&e));
	state[0] = UC_VCPU_PREEMPTED;
	STEP(9, uc_vcpu_handover(&vcpus[0]) == 1 && kicks[1] == 1);
	STEP(10, !uc_guest_upcall(&gv[0]) && uc_guest_upcall(&gv[1]) == 1 && handled[1] == 1);
	STEP(11, !uc_port_set_affinity(&domain, e.port, &only_1) && !uc_endpoint_raise(&e));
	STEP(12, !uc_guest_upcall(&gv[0]) && uc_guest_upcall(&gv[1]) == 1);
	uc_endpoint_close(&e);
	uc_domain_destroy(&domain);
	STEP(13, !mapped && handled[0] == 2 && handled[1] == 2);
	return 0;
}

/* The kernel starts a program here; its stack is aligned as a call needs it. 231, 94: exit_group.
 */
#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\tcall steps\n\tmov %eax, %edi\n\tmov $231, %eax\n\tsyscall\n");
#else
__asm__(".globl _start\n_start:\n\tbl steps\n\tmov x8, #94\n\tsvc #0\n");
#endif
