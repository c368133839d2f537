/* SPDX-License-Identifier: MIT */
/* The host of fixture.h. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void *map_frame(void *ctx, struct uc_domain *d, uint64_t gfn)
{
	struct machine *m = (struct machine *)d;

	(void)ctx;
	if (gfn >= FRAMES)
		return NULL;
	m->maps[gfn]++;
	return frame_of(m, (uint32_t)gfn);
}

static void unmap_frame(void *ctx, struct uc_domain *d, void *frame)
{
	struct machine *m = (struct machine *)d;
	size_t offset = (size_t)((uint8_t *)frame - m->frames);

	(void)ctx;
	assert_true(offset < FRAMES * UC_FRAME_SIZE && offset % UC_FRAME_SIZE == 0);
	assert_true(m->maps[offset / UC_FRAME_SIZE] > 0);
	m->maps[offset / UC_FRAME_SIZE]--;
}

static void kick(void *ctx, struct uc_vcpu *v)
{
	struct machine *m = (struct machine *)v->domain;
	struct world *w = ctx;

	__atomic_fetch_add(&m->kicks[v->id], 1, __ATOMIC_SEQ_CST);
	if (w->on_kick)
		w->on_kick(m, v->id);
}

static void queued(void *ctx, struct uc_vcpu *v)
{
	struct machine *m = (struct machine *)v->domain;

	(void)ctx;
	__atomic_fetch_add(&m->queued[v->id], 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&m->kicks_at_queued, __atomic_load_n(&m->kicks[v->id], __ATOMIC_SEQ_CST),
			 __ATOMIC_SEQ_CST);
}

static void wake(void *ctx, struct uc_vcpu *v)
{
	struct machine *m = (struct machine *)v->domain;
	struct world *w = ctx;

	__atomic_fetch_add(&m->wakes[v->id], 1, __ATOMIC_SEQ_CST);
	if (w->on_wake)
		w->on_wake(m, v->id);
}

static void relax(void *ctx)
{
	struct world *w = ctx;

	if (w->on_relax)
		w->on_relax();
	else
		fail_msg("the only thread waits for a lock");
}

static enum uc_run_state run_state(void *ctx, const struct uc_vcpu *v, uint64_t *since)
{
	struct machine *m = (struct machine *)v->domain;

	(void)ctx;
	*since = __atomic_load_n(&m->since[v->id], __ATOMIC_RELAXED);
	return __atomic_load_n(&m->state[v->id], __ATOMIC_RELAXED);
}

static const struct uc_host_ops host_ops = {
	.map_frame = map_frame,
	.unmap_frame = unmap_frame,
	.kick = kick,
	.wake = wake,
	.run_state = run_state,
	.queued = queued,
	.relax = relax,
};

static void guest_unmask(void *ctx, uint32_t port)
{
	struct machine *m = ctx;

	uc_unmask(&m->d, port);
}

static void guest_handle(void *ctx, uint32_t vcpu, uint32_t port)
{
	struct machine *m = ctx;

	if (m->on_handle) {
		m->on_handle(m, vcpu, port);
		return;
	}
	uc_guest_clear(&m->guest, port);
	assert_true(m->nr_log < sizeof(m->log) / sizeof(m->log[0]));
	m->log[m->nr_log++] = (struct handled){vcpu, port};
}

static const struct uc_guest_ops guest_ops = {.unmask = guest_unmask, .handle = guest_handle};

/* Whole pages of zeroes between two that cannot be touched. */
static void *fenced_alloc(size_t size)
{
	uint8_t *p = mmap(NULL, size + 2 * UC_FRAME_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	assert_true(p != MAP_FAILED && size % UC_FRAME_SIZE == 0);
	assert_int_equal(mprotect(p + UC_FRAME_SIZE, size, PROT_READ | PROT_WRITE), 0);
	return p + UC_FRAME_SIZE;
}

static void fenced_free(void *p, size_t size)
{
	munmap((uint8_t *)p - UC_FRAME_SIZE, size + 2 * UC_FRAME_SIZE);
}

/* PORTS + 2 words, in whole pages. */
#define AFFINITY_SIZE ((PORTS + UC_FRAME_SIZE / 8) * sizeof(uint64_t))

static struct machine *machine_new(struct world *w, uint16_t id)
{
	struct machine *m = aligned_alloc(64, sizeof(*m));
	struct uc_domain_config config = {.host = &w->host, .id = id, .nr_vcpus = VCPUS};

	assert_non_null(m);
	memset(m, 0, sizeof(*m));
	m->world = w;
	m->frames = fenced_alloc(FRAMES * UC_FRAME_SIZE);
	m->ports = fenced_alloc(PORTS * sizeof(*m->ports));
	config.vcpus = m->vcpus;
	for (uint32_t i = 1; i < PIRQS; i++)
		m->pirqs[i].trigger = i % 2 ? UC_PIRQ_LEVEL : UC_PIRQ_EDGE;
	config.pirqs = m->pirqs;
	config.nr_pirqs = PIRQS;
	config.ports = m->ports;
	config.nr_ports = PORTS;
	if (id == ID_A)
		config.affinity = m->affinity = fenced_alloc(AFFINITY_SIZE);
	assert_int_equal(uc_domain_init(&m->d, &config), 0);
	m->guest.ops = &guest_ops;
	m->guest.ctx = m;
	for (uint32_t i = 0; i < VCPUS; i++) {
		m->gv[i].guest = &m->guest;
		m->gv[i].id = i;
	}
	return m;
}

static void machine_free(struct machine *m)
{
	uc_domain_destroy(&m->d);
	for (uint32_t i = 0; i < FRAMES; i++)
		assert_int_equal(m->maps[i], 0);
	fenced_free(m->frames, FRAMES * UC_FRAME_SIZE);
	fenced_free(m->ports, PORTS * sizeof(*m->ports));
	if (m->affinity)
		fenced_free(m->affinity, AFFINITY_SIZE);
	free(m);
}

struct world *world_create(void)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->host = (struct uc_host){
		.ops = &host_ops, .ctx = w, .domains = w->domains, .nr_domains = 8};
	w->a = machine_new(w, ID_A);
	w->b = machine_new(w, ID_B);
	return w;
}

void world_destroy(struct world *w)
{
	machine_free(w->a);
	machine_free(w->b);
	free(w);
}

int world_new(void **state)
{
	*state = world_create();
	return 0;
}

int world_free(void **state)
{
	world_destroy(*state);
	return 0;
}

void *frame_of(struct machine *m, uint32_t gfn)
{
	return m->frames + (size_t)gfn * UC_FRAME_SIZE;
}

struct uc_shared_info *shared_of(struct machine *m)
{
	return frame_of(m, FRAME_SHARED);
}

static uint32_t control_offset(const struct machine *m)
{
	return m->life * 128;
}

struct uc_fifo_control_block *control_of(struct machine *m, uint32_t vcpu)
{
	return (void *)((uint8_t *)frame_of(m, FRAME_CONTROL + vcpu) + control_offset(m));
}

static uint32_t first_event_frame(const struct machine *m)
{
	return FRAME_EVENTS + m->life * PAGES_OF_LIFE;
}

uc_g32 *word_of(struct machine *m, uint32_t port)
{
	return (uc_g32 *)frame_of(m, first_event_frame(m)) + port;
}

uint32_t word(struct machine *m, uint32_t port)
{
	return __atomic_load_n(&word_of(m, port)->raw, __ATOMIC_SEQ_CST);
}

void start_2l(struct machine *m)
{
	assert_int_equal(uc_domain_set_shared_info(&m->d, FRAME_SHARED), 0);
	m->guest.shared_info = shared_of(m);
	for (uint32_t i = 0; i < VCPUS; i++)
		m->gv[i].info = &shared_of(m)->vcpu_info[i];
}

void start_control(struct machine *m, uint32_t vcpu)
{
	assert_int_equal(uc_init_control(&m->d, vcpu, FRAME_CONTROL + vcpu, control_offset(m)), 0);
	m->guest.fifo = true;
	m->gv[vcpu].control = control_of(m, vcpu);
}

int add_page(struct machine *m)
{
	uint32_t slot = m->guest.nr_words / UC_FIFO_WORDS_PER_PAGE;
	int rc;

	m->guest.event_page[slot] = frame_of(m, first_event_frame(m) + slot);
	rc = uc_expand_array(&m->d, first_event_frame(m) + slot);
	if (!rc)
		m->guest.nr_words += UC_FIFO_WORDS_PER_PAGE;
	return rc;
}

void start_fifo(struct machine *m, uint32_t pages)
{
	start_2l(m);
	for (uint32_t i = 0; i < VCPUS; i++)
		start_control(m, i);
	while (pages--)
		assert_int_equal(add_page(m), 0);
}

int reset_all(struct machine *m)
{
	int rc = uc_reset(&m->d, false);

	while (rc == 1)
		rc = uc_reset(&m->d, true);
	if (rc)
		return rc;
	m->life++;
	m->guest.fifo = false;
	m->guest.nr_words = 0;
	for (uint32_t i = 0; i < VCPUS; i++) {
		m->gv[i].control = NULL;
		memset(m->gv[i].head, 0, sizeof(m->gv[i].head));
	}
	return 0;
}

void open_ipis(struct machine *m)
{
	uint32_t port;

	for (uint32_t i = 0; i < VCPUS; i++)
		assert_int_equal(uc_bind_ipi(&m->d, i, &port), 0);
}

static void count_notify(struct uc_endpoint *e)
{
	__atomic_fetch_add(&((struct line *)e)->notified, 1, __ATOMIC_SEQ_CST);
}

/* The port is handled by `vcpu`, which the 2-level guest must know itself. */
uint32_t open_line(struct machine *m, struct line *l, uint32_t vcpu)
{
	uint32_t port;

	*l = (struct line){.e.notify = count_notify};
	assert_int_equal(uc_endpoint_open(&l->e, &m->d), 0);
	port = l->e.port;
	if (vcpu)
		assert_int_equal(uc_bind_vcpu(&m->d, port, vcpu), 0);
	if (port < UC_2L_PORTS)
		m->gv[vcpu].bound[port / 64] |= 1ull << (port % 64);
	return port;
}

void raise_line(struct line *l)
{
	assert_int_equal(uc_endpoint_raise(&l->e), 0);
}

uint32_t open_pair(struct machine *m, struct machine *peer, uint32_t *peer_port)
{
	uint32_t port, remote;

	assert_int_equal(uc_alloc_unbound(&peer->d, m->d.id, &remote), 0);
	assert_int_equal(uc_bind_interdomain(&m->d, peer->d.id, remote, &port), 0);
	if (port < UC_2L_PORTS)
		m->gv[0].bound[port / 64] |= 1ull << (port % 64);
	if (remote < UC_2L_PORTS)
		peer->gv[0].bound[remote / 64] |= 1ull << (remote % 64);
	if (peer_port)
		*peer_port = remote;
	run_all(m);
	handled(m);
	return port;
}

static void stop_here(struct machine *m)
{
	if (m->world->on_stop)
		m->world->on_stop();
}

static uint32_t take_ready(struct machine *m, uint32_t vcpu)
{
	stop_here(m);
	return __atomic_exchange_n(&m->gv[vcpu].control->ready.raw, 0, __ATOMIC_SEQ_CST);
}

/* consume_one_event(). Returns false when that was the queue's last. */
static bool consume_one(struct machine *m, uint32_t vcpu, uint32_t q, uint32_t *calls)
{
	struct uc_guest_vcpu *gv = &m->gv[vcpu];
	uint32_t port = gv->head[q], old;

	stop_here(m);
	if (!port)
		port = __atomic_load_n(&gv->control->head[q].raw, __ATOMIC_SEQ_CST);
	stop_here(m);
	old = __atomic_fetch_and(&word_of(m, port)->raw, ~(UC_FIFO_LINKED | UC_FIFO_LINK_MASK),
				 __ATOMIC_SEQ_CST);
	if (old & UC_FIFO_LINKED)
		m->unlinked[vcpu]++;
	else
		__atomic_fetch_add(&m->astray, 1, __ATOMIC_SEQ_CST);
	gv->head[q] = old & UC_FIFO_LINK_MASK;
	stop_here(m);
	if ((word(m, port) & (UC_FIFO_PENDING | UC_FIFO_MASKED)) == UC_FIFO_PENDING) {
		guest_handle(m, vcpu, port);
		++*calls;
	}
	return gv->head[q] != 0;
}

uint32_t consume(struct machine *m, uint32_t vcpu, uint32_t ready)
{
	uint32_t calls = 0;

	while (ready) {
		uint32_t q = (uint32_t)__builtin_ctz(ready);

		if (!consume_one(m, vcpu, q, &calls))
			ready &= ~(1u << q);
		ready |= take_ready(m, vcpu);
	}
	return calls;
}

static uint32_t run_strictly(struct machine *m, uint32_t vcpu)
{
	uint8_t *upcall = &m->gv[vcpu].info->upcall_pending.raw;
	uint32_t calls = 0;

	while (__atomic_load_n(upcall, __ATOMIC_SEQ_CST)) {
		stop_here(m);
		__atomic_store_n(upcall, 0, __ATOMIC_SEQ_CST);
		calls += consume(m, vcpu, take_ready(m, vcpu));
	}
	return calls;
}

uint32_t run(struct machine *m, uint32_t vcpu)
{
	if (m->world->strict && m->gv[vcpu].control && m->gv[vcpu].info)
		return run_strictly(m, vcpu);
	return m->gv[vcpu].info ? uc_guest_upcall(&m->gv[vcpu]) : 0;
}

uint32_t run_all(struct machine *m)
{
	uint32_t all = 0, some;

	do {
		some = 0;
		for (uint32_t i = 0; i < VCPUS; i++)
			some += run(m, i);
		all += some;
	} while (some);
	return all;
}

const char *handled(struct machine *m)
{
	static char text[sizeof(m->log) / sizeof(m->log[0]) * 24];
	size_t at = 0;

	text[0] = 0;
	for (uint32_t i = 0; i < m->nr_log; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%u:%u", i ? " " : "",
				       m->log[i].vcpu, m->log[i].port);
	m->nr_log = 0;
	return text;
}

uint32_t times_handled(struct machine *m, uint32_t port)
{
	uint32_t times = 0;

	for (uint32_t i = 0; i < m->nr_log; i++)
		times += m->log[i].port == port;
	return times;
}
