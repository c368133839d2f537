/* SPDX-License-Identifier: MIT */
/*
 * A complete host for libupcall: one domain with two vCPUs whose guest is lib/guest, in one thread,
 * over plain memory. Built outside the library's own build, with what `meson install` installed;
 * docs/embedding.md goes through it step by step.
 *
 * What it leaves out:
 *   - threads: a real host has one for each vCPU and others for devices. Every function that is
 *     called here may be called from any of them, and every operation of the table must bear that.
 *   - injection: kick() must get a vCPU that is running, or asleep, into its upcall handler.
 *   - unmapping: the memory stays, so unmap_frame() has nothing to wait for.
 *   - hypercalls: a real guest asks for channels through uc_evtchn_op(), with Xen's structures.
 *   - the 2-level ABI, SCHEDOP_poll (wake()), several domains, affinity sets, priorities.
 */
#include <stdio.h>
#include <stdlib.h>

#include <upcall/evtchn.h>
#include <upcall/guest.h>
#include <upcall/route.h>

#define VCPUS 2
#define PORTS 64
#define ID    1

/* The guest's RAM: its page tables, if it had any, would map these frames. */
enum { FRAME_SHARED_INFO, FRAME_CONTROL_0, FRAME_CONTROL_1, FRAME_EVENTS, FRAMES };
static uint8_t ram[FRAMES][UC_FRAME_SIZE] __attribute__((aligned(UC_FRAME_SIZE)));
static int mapped;

static struct uc_domain *domains[ID + 1];
static struct uc_domain domain;
static struct uc_vcpu vcpus[VCPUS];
static struct uc_port ports[PORTS];
static enum uc_run_state state[VCPUS]; /* all zero: running */

static struct uc_guest guest;
static struct uc_guest_vcpu guest_vcpus[VCPUS];
static int handled[VCPUS];

static void check(const char *what, int rc)
{
	if (rc >= 0)
		return;
	printf("%s failed: error %d\n", what, -rc);
	exit(1);
}

/* ---- the host's operations ---- */

/* The number comes from the guest. Frames are aligned: the library finds the start by that. */
static void *map_frame(void *ctx, struct uc_domain *d, uint64_t gfn)
{
	(void)ctx, (void)d;
	if (gfn >= FRAMES)
		return NULL;
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
	printf("  host: kick vCPU %u\n", v->id);
}

static void wake(void *ctx, struct uc_vcpu *v)
{
	(void)ctx, (void)v; /* nobody polls here */
}

static enum uc_run_state run_state(void *ctx, const struct uc_vcpu *v, uint64_t *since)
{
	(void)ctx;
	*since = v->id; /* who has been waiting longer: here, the lower number */
	return state[v->id];
}

static const struct uc_host_ops host_ops = {
	.map_frame = map_frame,
	.unmap_frame = unmap_frame,
	.kick = kick,
	.wake = wake,
	.run_state = run_state,
};
static struct uc_host host = {.ops = &host_ops, .domains = domains, .nr_domains = ID + 1};

/* ---- the guest ---- */

static void guest_unmask(void *ctx, uint32_t port)
{
	(void)ctx;
	check("unmask", uc_unmask(&domain, port)); /* in a real one a hypercall */
}

/* PENDING is cleared first: what comes during the work is another event. */
static void guest_handle(void *ctx, uint32_t vcpu, uint32_t port)
{
	(void)ctx;
	uc_guest_clear(&guest, port);
	handled[vcpu]++;
	printf("  guest: vCPU %u handles port %u\n", vcpu, port);
	check("notify", uc_send(&domain, port));
}

static const struct uc_guest_ops guest_ops = {.unmask = guest_unmask, .handle = guest_handle};

/* What an SMP guest does while it boots: shared pages, then an IPI on each vCPU. */
static void guest_boot(void)
{
	struct uc_shared_info *shared = (void *)ram[FRAME_SHARED_INFO];
	uint32_t ipi;

	guest = (struct uc_guest){.ops = &guest_ops, .fifo = true};
	check("shared info", uc_domain_set_shared_info(&domain, FRAME_SHARED_INFO));
	for (uint32_t i = 0; i < VCPUS; i++) {
		guest_vcpus[i] = (struct uc_guest_vcpu){
			.guest = &guest,
			.id = i,
			.info = &shared->vcpu_info[i],
			.control = (void *)ram[FRAME_CONTROL_0 + i],
		};
		check("init control", uc_init_control(&domain, i, FRAME_CONTROL_0 + i, 0));
	}
	check("expand array", uc_expand_array(&domain, FRAME_EVENTS));
	guest.event_page[0] = (void *)ram[FRAME_EVENTS];
	guest.nr_words = UC_FIFO_WORDS_PER_PAGE;
	/* A vCPU with a port of its own is live: events may follow to it. */
	for (uint32_t i = 0; i < VCPUS; i++)
		check("bind ipi", uc_bind_ipi(&domain, i, &ipi));
}

/* The vCPU gets the CPU: it takes its upcall, if there is one. */
static void guest_run(uint32_t vcpu)
{
	state[vcpu] = UC_VCPU_RUNNING;
	if (!uc_guest_upcall(&guest_vcpus[vcpu]))
		printf("  guest: vCPU %u has nothing to do\n", vcpu);
}

/* ---- a device ---- */

static void device_notified(struct uc_endpoint *e)
{
	printf("  device: notified through port %u\n", e->port);
}

static struct uc_endpoint device = {.notify = device_notified};

int main(void)
{
	struct uc_domain_config config = {.host = &host, .id = ID};

	config.vcpus = vcpus;
	config.nr_vcpus = VCPUS;
	config.ports = ports;
	config.nr_ports = PORTS;
	check("domain", uc_domain_init(&domain, &config));
	guest_boot();
	printf("boot: FIFO %d, %d frames mapped\n", uc_domain_is_fifo(&domain), mapped);
	check("device", uc_endpoint_open(&device, &domain));

	printf("pinned: the device raises port %u\n", device.port);
	check("raise", uc_endpoint_raise(&device));
	guest_run(0);

	printf("twice before the guest looks: one event\n");
	check("raise", uc_endpoint_raise(&device));
	check("raise", uc_endpoint_raise(&device));
	guest_run(0);

	printf("masked, and unmasked\n");
	uc_guest_mask(&guest, device.port);
	check("raise", uc_endpoint_raise(&device));
	guest_run(0);
	uc_guest_unmask(&guest, device.port);
	guest_run(0);

	printf("follow: vCPU 0 is preempted after the raise\n");
	check("policy", uc_domain_set_policy(&domain, UC_POLICY_FOLLOW));
	check("raise", uc_endpoint_raise(&device));
	state[0] = UC_VCPU_PREEMPTED;
	printf("  host: %u event handed over\n", uc_vcpu_handover(&vcpus[0]));
	guest_run(1);
	guest_run(0);

	uc_endpoint_close(&device);
	uc_domain_destroy(&domain);
	printf("end: handled %d + %d, %d frames mapped\n", handled[0], handled[1], mapped);
	return 0;
}
