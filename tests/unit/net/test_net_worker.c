/* SPDX-License-Identifier: MIT */
/*
 * The worker's thread against a front end that sleeps whenever the rules of the ring let it: one
 * notification too few, in either direction, and this test hangs until its time-out.
 */
#include "fixture.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "vmm/dev/net_worker.h"

#define PACKETS 20000u
#define AHEAD	32u /* less than the socket pair holds, so that nothing is dropped */

static uint8_t packet[UC_NET_PACKET_MAX];

static void on_broken(void *ctx, const struct uc_net_queue *q)
{
	(void)q;
	__atomic_store_n((bool *)ctx, true, __ATOMIC_RELEASE);
}

/* Wait for the upcall; the selector and the pending bits are not looked at, only the wake-up. */
static void sleep_until_kicked(struct net_guest *g)
{
	struct vcpu_info *info = uc_mem_at(&g->mem, UC_PAGE_SIZE, UC_PAGE_SIZE);
	struct pollfd fd = {.fd = g->kick_fd, .events = POLLIN};
	uint64_t count;

	if (poll(&fd, 1, 20000) != 1)
		fail_msg("no event for 20 s");
	assert_int_equal(read(g->kick_fd, &count, sizeof(count)), sizeof(count));
	/* As an upcall handler: first the flag, then the selector, then what is pending. */
	__atomic_store_n(&info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
	__atomic_exchange_n(&info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
	raised(g, g->config.tx_port);
	raised(g, g->config.rx_port);
}

static bool wants_event(uint32_t old, uint32_t now, const uint32_t *event)
{
	return now - __atomic_load_n(event, __ATOMIC_SEQ_CST) < now - old;
}

/* Ask for an event at the next response; false when there is one already. */
static bool may_sleep(const uint32_t *prod, uint32_t *event, uint32_t cons)
{
	__atomic_store_n(event, cons + 1, __ATOMIC_SEQ_CST);
	return __atomic_load_n(prod, __ATOMIC_SEQ_CST) == cons;
}

static void write_slot(void *slot, const void *request, size_t bytes)
{
	uint32_t *to = slot, words[3];

	memcpy(words, request, bytes);
	for (size_t i = 0; i < bytes / 4; i++)
		__atomic_store_n(&to[i], words[i], __ATOMIC_RELAXED);
}

static void show(struct net_guest *g, uint32_t *prod, uint32_t old, uint32_t now,
		 const uint32_t *event, uint32_t port)
{
	__atomic_store_n(prod, now, __ATOMIC_SEQ_CST);
	if (wants_event(old, now, event))
		assert_int_equal(uc_send(&g->domain, port), 0);
}

struct run {
	struct net_guest *g;
	struct uc_net_queue *queue;
	struct uc_net_worker worker;
	bool broken;
};

static int setup(void **state)
{
	static struct run r;

	r = (struct run){.g = guest_new()};
	open_queue(r.g);
	r.queue = &r.g->queue;
	r.worker = (struct uc_net_worker){
		.queues = &r.queue, .nr_queues = 1, .on_broken = on_broken, .ctx = &r.broken};
	assert_int_equal(uc_net_worker_start(&r.worker), 0);
	*state = &r;
	return 0;
}

static int teardown(void **state)
{
	struct run *r = *state;

	uc_net_worker_stop(&r->worker);
	guest_free(r->g);
	return 0;
}

static uint32_t take_from_wire(struct net_guest *g)
{
	struct virtio_net_hdr header;
	uint32_t n = 0;

	while (wire_get(g, &header, packet) >= 0)
		n++;
	return n;
}

static void every_packet_sent_is_answered_and_told_of(void **state)
{
	struct run *r = *state;
	struct net_guest *g = r->g;
	uint32_t answered = 0, arrived = 0;

	while (answered < PACKETS) {
		uint32_t old = g->tx_prod;

		while (g->tx_prod < PACKETS && g->tx_prod - answered < AHEAD &&
		       g->tx_prod - old < 1 + answered % 3) {
			netif_tx_request_t request = {.gref = BUF_REF + g->tx_prod % AHEAD,
						      .size = ETH_MIN};

			write_slot(&g->tx->ring[g->tx_prod++ % RING_SLOTS], &request,
				   sizeof(request));
		}
		if (g->tx_prod != old)
			show(g, &g->tx->req_prod, old, g->tx_prod, &g->tx->req_event,
			     g->config.tx_port);
		else if (may_sleep(&g->tx->rsp_prod, &g->tx->rsp_event, g->tx_cons))
			sleep_until_kicked(g);
		for (; tx_has_response(g); answered++)
			g->tx_cons++;
		arrived += take_from_wire(g);
	}
	arrived += take_from_wire(g);
	assert_int_equal(arrived, PACKETS);
	assert_false(r->broken);
}

/* Packets onto the wire until it is full or AHEAD are under way; every fifth needs two buffers. */
static uint32_t bring(struct net_guest *g, uint32_t put, uint32_t got)
{
	for (; put < PACKETS && put - got < AHEAD; put++) {
		memset(packet, 0, sizeof(struct virtio_net_hdr));
		if (write(g->wire, packet, sizeof(struct virtio_net_hdr) + (put % 5 ? 100 : 5000)) <
		    0)
			break;
	}
	return put;
}

/* Buffers, until `n` are with the back end. */
static bool give(struct net_guest *g, uint32_t n)
{
	uint32_t old = g->rx_prod;

	while (g->rx_prod - g->rx_cons < n) {
		netif_rx_request_t request = {.id = (uint16_t)(g->rx_prod % RING_SLOTS),
					      .gref = BUF_REF + g->rx_prod % RING_SLOTS};

		write_slot(&g->rx->ring[g->rx_prod++ % RING_SLOTS], &request, sizeof(request));
	}
	if (g->rx_prod != old)
		show(g, &g->rx->req_prod, old, g->rx_prod, &g->rx->req_event, g->config.rx_port);
	return g->rx_prod != old;
}

/* Whole packets that came. */
static uint32_t collect(struct net_guest *g)
{
	uint32_t whole = 0;

	for (; rx_has_response(g); g->rx_cons++) {
		uint32_t *slot = (uint32_t *)&g->rx->ring[g->rx_cons % RING_SLOTS];
		uint32_t words[2] = {__atomic_load_n(slot, __ATOMIC_RELAXED),
				     __atomic_load_n(slot + 1, __ATOMIC_RELAXED)};
		netif_rx_response_t response;

		memcpy(&response, words, sizeof(response));
		assert_true(response.status > 0);
		assert_int_equal(response.id, g->rx_cons % RING_SLOTS);
		whole += !(response.flags & NETRXF_more_data);
	}
	return whole;
}

/*
 * The guest gives few buffers at a time, first one, then enough, so the back end waits for them
 * again and again.
 */
static void every_packet_from_the_tap_is_told_of(void **state)
{
	struct run *r = *state;
	struct net_guest *g = r->g;
	uint32_t put = 0, got = 0;

	while (got < PACKETS) {
		bool busy = give(g, 1);

		put = bring(g, put, got);
		busy |= give(g, 2 + got % 7);
		if (!busy && may_sleep(&g->rx->rsp_prod, &g->rx->rsp_event, g->rx_cons))
			sleep_until_kicked(g);
		got += collect(g);
	}
	assert_int_equal(got, PACKETS);
	assert_false(r->broken);
}

static void a_broken_queue_is_told_of_and_the_thread_ends(void **state)
{
	struct run *r = *state;

	__atomic_store_n(&r->g->tx->req_prod, 1000, __ATOMIC_RELEASE);
	assert_int_equal(uc_send(&r->g->domain, r->g->config.tx_port), 0);
	for (int i = 0; i < 5000 && !__atomic_load_n(&r->broken, __ATOMIC_ACQUIRE); i++)
		usleep(1000);
	assert_true(__atomic_load_n(&r->broken, __ATOMIC_ACQUIRE));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_packet_sent_is_answered_and_told_of),
		TEST(every_packet_from_the_tap_is_told_of),
		TEST(a_broken_queue_is_told_of_and_the_thread_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
