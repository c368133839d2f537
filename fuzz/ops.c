/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target "ops": a string of bytes is a sequence of operations on two domains, by two hostile
 * guests and their host. After each, the private state must be sound and the call must have touched
 * a bounded number of guest words; at the end a guest that mends its words is served, and all is
 * given back.
 *
 * An operation is a byte, its row in `ops`, and what it reads itself; bytes that are not there are
 * 0.
 */
#include <stdio.h>
#include <string.h>

#include <upcall/route.h>
#include <xen/xen.h>

#include <xen/event_channel.h>

#include "guest.h"
#include "target.h"
#include "tests/explore/bounds.h"
#include "tests/explore/records.h"

#define OPS_MAX	 400u
#define ARG_MAX	 8192u
#define POLL_MAX 3u

static struct {
	const uint8_t *data;
	size_t size;
} input;

static uint8_t byte(void)
{
	uint8_t b = input.size ? *input.data : 0;

	if (input.size) {
		input.data++;
		input.size--;
	}
	return b;
}

/* Mostly a number that is in use; now and then one at an edge, or two 16-bit numbers. */
static uint32_t number(void)
{
	static const uint32_t edge[] = {
		0x7ff0,	 0x17ff0, 0x7ff00001, PORTS - 1,  PORTS,	  4095,	    4096,
		0x1ffff, 0x20000, 0x7fffffff, UINT32_MAX, UINT32_MAX - 7, 1u << 16, 0xfff0,
	};
	uint8_t b = byte();

	if (b < 0xc0)
		return b & 0x1f;
	if (b < 0xe0)
		return (b & 3u) | (uint32_t)(b >> 2 & 3) << 16;
	return edge[(b & 0x1f) % (sizeof(edge) / sizeof(edge[0]))];
}

static struct guest *guest(void)
{
	return &guests[byte() % DOMAINS];
}

static struct uc_vcpu *vcpu(struct guest *g)
{
	return &g->vcpus[byte() % VCPUS];
}

static struct uc_endpoint *endpoint(struct guest *g)
{
	return &g->endpoint[byte() % ENDPOINTS];
}

/* ---- what a guest does ---- */

static void any_evtchn_op(struct guest *g)
{
	static union {
		uint32_t words[ARG_MAX / 4];
		uint64_t aligned;
	} arg;
	uint32_t cmd = byte() % 24;
	bool out;
	int size;

	if (cmd == 23)
		cmd = UC_EVTCHNOP_SET_AFFINITY;
	if (cmd == 22)
		cmd = UC_EVTCHNOP_INIT_CONTROLS;
	size = uc_evtchn_arg_size(cmd, &out);
	if (size < 0 || size > (int)sizeof(arg))
		return;
	memset(&arg, 0, (size_t)size + 3u);
	for (int i = 0; i < (size + 3) / 4; i++)
		arg.words[i] = number();
	uc_evtchn_op(vcpu(g), cmd, &arg);
}

static void send(struct guest *g)
{
	uc_send(g->d, number());
}

static void unmask(struct guest *g)
{
	uc_unmask(g->d, number());
}

static void poll(struct guest *g)
{
	uint32_t ports[POLL_MAX], nr = byte() % (POLL_MAX + 1);
	struct uc_vcpu *v = vcpu(g);

	for (uint32_t i = 0; i < nr; i++)
		ports[i] = number();
	if (g->polls[v->id])
		uc_poll_end(v);
	g->polls[v->id] = !uc_poll_begin(v, ports, nr);
}

static void write_word(struct guest *g)
{
	uint8_t kind = byte(), index = byte();
	uint32_t bits, value = number() | (uint32_t)byte() << 24;

	memcpy(guest_word(g, kind, index, &bits), &value, sizeof(value));
}

static void flip_bit(struct guest *g)
{
	uint8_t kind = byte(), index = byte(), bit = byte();
	uint32_t bits;
	uint8_t *word = guest_word(g, kind, index, &bits);

	bit = (uint8_t)(bit % bits);
	word[bit / 8] ^= (uint8_t)(1u << (bit % 8));
}

static void flip_during_the_next(struct guest *g)
{
	uint8_t after = byte();

	(void)g;
	guest_arm(after, byte());
}

/* As a guest that keeps the ABI: take a queue, follow it, clear what is pending. */
static void consume(struct guest *g)
{
	uint8_t v = byte() % VCPUS;
	struct uc_fifo_control_block *block = (void *)((uint8_t *)guest_frame(g, FRAME_BLOCKS) +
						       v * 128);
	uint32_t *words = guest_frame(g, FRAME_EVENTS), ready = block->ready.raw;

	block->ready.raw = 0;
	for (uint32_t q = 0; q < UC_FIFO_QUEUES; q++) {
		uint32_t port = block->head[q].raw;

		for (uint32_t n = 0; ready & (1u << q) && n < PORTS && port < PORTS && port; n++) {
			uint32_t w = words[port];

			words[port] = w & ~(UC_FIFO_PENDING | UC_FIFO_LINKED | UC_FIFO_LINK_MASK);
			port = w & UC_FIFO_LINK_MASK;
		}
	}
}

/* ---- what its host does ---- */

static void raise_endpoint(struct guest *g)
{
	uc_endpoint_raise(endpoint(g));
}

static void open_endpoint(struct guest *g)
{
	struct uc_endpoint *e = endpoint(g);

	uc_endpoint_close(e);
	uc_endpoint_open(e, g->d);
}

static void bind_endpoint(struct guest *g)
{
	struct uc_endpoint *e = endpoint(g);

	uc_endpoint_close(e);
	uc_endpoint_bind(e, g->d, number());
}

static void close_endpoint(struct guest *g)
{
	uc_endpoint_close(endpoint(g));
}

static void more(struct guest *g)
{
	uc_endpoint_more(endpoint(g));
}

static void raise_virq(struct guest *g)
{
	struct uc_vcpu *v = vcpu(g);

	uc_virq_raise(v, number());
}

static void hand_over(struct guest *g)
{
	uc_vcpu_handover(vcpu(g));
}

static void change_state(struct guest *g)
{
	g->state[byte() % VCPUS] = (enum uc_run_state)(byte() % 3);
}

static void domain_policy(struct guest *g)
{
	uc_domain_set_policy(g->d, (enum uc_policy)(byte() % (UC_POLICIES + 1)));
}

static void port_policy(struct guest *g)
{
	uint32_t port = number();

	uc_port_set_policy(g->d, port, (enum uc_policy)(byte() % (UC_POLICIES + 2)));
}

static void port_set(struct guest *g)
{
	uint32_t port = number();
	uint64_t set = byte() % (1u << VCPUS);

	uc_port_set_affinity(g->d, port, set ? &set : NULL);
}

static void domain_set(struct guest *g)
{
	uint64_t set = byte() % (1u << VCPUS);

	uc_domain_set_affinity(g->d, set ? &set : NULL);
}

static void map_shared_info(struct guest *g)
{
	uc_domain_set_shared_info(g->d, byte() % (FRAMES + 1));
}

static void register_info(struct guest *g)
{
	struct uc_vcpu *v = vcpu(g);

	uc_vcpu_set_info(v, byte() % (FRAMES + 1), number() * 16);
}

/* Mostly as a guest does that wants to work. */
static void init_control(struct guest *g)
{
	uint32_t v = byte() % (VCPUS + 1);
	uint8_t how = byte();

	if (how < 0xc0)
		uc_init_control(g->d, v, FRAME_BLOCKS, v * 128);
	else
		uc_init_control(g->d, v, how % (FRAMES + 1),
				how & 8 ? byte() * 24u : UC_FRAME_SIZE - byte() % 20 * 8u);
}

static void expand_array(struct guest *g)
{
	uint8_t how = byte();

	uc_expand_array(g->d, how < 0xc0 ? FRAME_EVENTS : how % (FRAMES + 1));
}

static void bind_virq(struct guest *g)
{
	uint32_t port, v = byte() % (VCPUS + 1);

	uc_bind_virq(g->d, byte() % (UC_VIRQS + 1), v, &port);
}

static void close_port(struct guest *g)
{
	uc_close(g->d, number());
}

/* Until there is no free port. */
static void take_all_ports(struct guest *g)
{
	uint32_t port;

	while (!uc_alloc_unbound(g->d, UC_DOMID_SELF, &port))
		;
}

/* In pieces, as its guest makes them: the next bytes may have others between two. */
static void reset(struct guest *g)
{
	uc_reset(g->d, byte() % 2);
}

static void bind_pirq(struct guest *g)
{
	uint32_t port;

	uc_bind_pirq(g->d, byte() % (PIRQS + 1), &port);
}

static void change_pirq(struct guest *g)
{
	uint32_t pirq = byte() % (PIRQS + 1);

	uc_pirq_raise(g->d, pirq);
	uc_pirq_set_level(g->d, pirq, byte() % 2);
}

static void end_pirq(struct guest *g)
{
	uc_pirq_eoi(g->d, byte() % (PIRQS + 1));
}

static void change_limits(struct guest *g)
{
	uc_domain_set_compat(g->d, byte() % 2);
	uc_domain_set_quota(g->d, number());
}

static void change_handler(struct guest *g)
{
	uint32_t virq = byte() % (UC_VIRQS + 1);

	uc_host_set_virq_handler(g->d->host, virq, (uint16_t)(byte() % 4));
	uc_global_virq_raise(g->d->host, virq);
}

static void look(struct guest *g)
{
	struct uc_port_info info;
	struct uc_vcpu *v = vcpu(g);

	uc_port_info(g->d, number(), &info);
	uc_vcpu_untaken(v);
	uc_vcpu_movable(v);
	uc_vcpu_delivered(v);
}

#define CONTROL CONTROL_WORDS(PORTS)

static const struct op {
	const char *name;
	void (*run)(struct guest *g);
	uint32_t words; /* it may touch */
} ops[] = {
	{"evtchn_op", any_evtchn_op, CONTROL},
	{"send", send, RAISE_WORDS},
	{"unmask", unmask, UNMASK_WORDS},
	{"poll", poll, POLL_WORDS(POLL_MAX)},
	{"write_word", write_word, 0},
	{"flip_bit", flip_bit, 0},
	{"flip_during_the_next", flip_during_the_next, 0},
	{"consume", consume, 0},
	{"raise", raise_endpoint, RAISE_WORDS},
	{"open_endpoint", open_endpoint, CONTROL},
	{"bind_endpoint", bind_endpoint, CONTROL},
	{"close_endpoint", close_endpoint, CONTROL},
	{"more", more, 0},
	{"raise_virq", raise_virq, RAISE_WORDS},
	{"hand_over", hand_over, CONTROL},
	{"change_state", change_state, 0},
	{"domain_policy", domain_policy, CONTROL},
	{"port_policy", port_policy, CONTROL},
	{"port_set", port_set, CONTROL},
	{"domain_set", domain_set, CONTROL},
	{"map_shared_info", map_shared_info, CONTROL},
	{"register_info", register_info, 4},
	{"init_control", init_control, CONTROL},
	{"expand_array", expand_array, CONTROL},
	{"bind_virq", bind_virq, CONTROL},
	{"close", close_port, CONTROL},
	{"take_all_ports", take_all_ports, PORTS *CONTROL},
	{"reset", reset, CONTROL},
	{"bind_pirq", bind_pirq, CONTROL},
	{"change_pirq", change_pirq, 2 * RAISE_WORDS},
	{"end_pirq", end_pirq, RAISE_WORDS},
	{"change_limits", change_limits, 0},
	{"change_handler", change_handler, RAISE_WORDS},
	{"look", look, 8},
};

/* ---- what must hold ---- */

static void check(const struct op *op, uint32_t words)
{
	if (words > op->words)
		guest_fail("%s touches %u guest words, may touch %u", op->name, words, op->words);
	for (uint32_t i = 0; i < DOMAINS; i++) {
		const char *wrong = records_check(guests[i].d);
		uint32_t polls = 0;

		if (wrong)
			guest_fail("after %s: domain %u: %s", op->name, i, wrong);
		for (uint32_t v = 0; v < VCPUS; v++)
			polls += guests[i].polls[v];
		if (guests[i].d->pollers != polls)
			guest_fail("after %s: %u pollers, not %u", op->name, guests[i].d->pollers,
				   polls);
	}
}

static void run_ops(void)
{
	for (uint32_t n = 0; input.size && n < OPS_MAX; n++) {
		const struct op *op = &ops[byte() % (sizeof(ops) / sizeof(ops[0]))];

		guest_touched();
		op->run(guest());
		check(op, guest_touched());
		if (op->run != flip_during_the_next)
			guest_disarm();
	}
}

/* With clean words, a port that is raised is in a queue, or its bit is set, and an upcall came. */
static void is_served(struct guest *g, struct uc_endpoint *e)
{
	struct uc_port *p = &g->d->ports[e->port];
	struct uc_vcpu *v;
	struct uc_port_info info;

	if (uc_endpoint_raise(e))
		return;
	v = &g->vcpus[p->route.last_vcpu];
	if (uc_port_info(g->d, e->port, &info))
		guest_fail("no such port");
	if (!p->parked && !info.pending)
		guest_fail("after a repair port %u is not pending", e->port);
	if (uc_domain_is_fifo(g->d) && !p->parked && g->vcpus[p->route.vcpu].control &&
	    (!info.linked || !(uc_vcpu_untaken(v) & (1u << p->route.last_priority))))
		guest_fail("after a repair port %u is in no queue", e->port);
}

static bool lies_in(struct guest *g, const void *address, uint32_t gfn)
{
	return (uintptr_t)address - (uintptr_t)guest_frame(g, gfn) < UC_FRAME_SIZE;
}

/* No word of the guest is two things at once, as a control block between event words is. */
static bool is_sane(struct guest *g)
{
	bool sane = !g->d->shared_info || lies_in(g, g->d->shared_info, FRAME_SHARED);

	for (uint32_t v = 0; v < VCPUS; v++)
		sane = sane && (!g->vcpus[v].control ||
				(uint8_t *)g->vcpus[v].control ==
					(uint8_t *)guest_frame(g, FRAME_BLOCKS) + v * 128);
	for (uint32_t v = 0; v < VCPUS; v++)
		sane = sane &&
		       (!g->vcpus[v].info_registered || lies_in(g, g->vcpus[v].info, FRAME_INFO));
	return sane && (!g->d->nr_words || (lies_in(g, g->d->event_page[0], FRAME_EVENTS) &&
					    g->d->nr_words == UC_FIFO_WORDS_PER_PAGE));
}

static void repair(struct guest *g)
{
	if (!is_sane(g))
		return;
	for (uint32_t gfn = 0; gfn < FRAMES; gfn++)
		memset(guest_frame(g, gfn), 0, UC_FRAME_SIZE);
	for (uint32_t i = 0; i < ENDPOINTS; i++)
		is_served(g, &g->endpoint[i]);
}

/* Where the sequence starts: with nothing, with shared_info, as FIFO, as FIFO that follows. */
static void start(struct guest *g, uint8_t how)
{
	uint32_t port;

	if (how > 0)
		uc_domain_set_shared_info(g->d, FRAME_SHARED);
	for (uint32_t v = 0; how > 1 && v < VCPUS; v++)
		uc_init_control(g->d, v, FRAME_BLOCKS, v * 128);
	if (how > 1)
		uc_expand_array(g->d, FRAME_EVENTS);
	for (uint32_t v = 0; how > 2 && v < VCPUS; v++)
		uc_bind_ipi(g->d, v, &port);
	for (uint32_t i = 0; how > 2 && i < ENDPOINTS - 1; i++)
		uc_endpoint_open(&g->endpoint[i], g->d);
	if (how > 2)
		uc_domain_set_policy(g->d, UC_POLICY_FOLLOW);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how;

	input.data = data;
	input.size = size;
	guest_begin();
	how = byte();
	start(&guests[0], how % 4);
	start(&guests[1], how / 4 % 4);
	run_ops();
	guest_disarm();
	for (uint32_t i = 0; i < DOMAINS; i++) {
		for (uint32_t v = 0; v < VCPUS; v++)
			if (guests[i].polls[v])
				uc_poll_end(&guests[i].vcpus[v]);
		repair(&guests[i]);
	}
	guest_end();
	return 0;
}
