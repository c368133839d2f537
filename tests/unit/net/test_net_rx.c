/* SPDX-License-Identifier: MIT */
/* What a guest receives, with and without buffers, and with bad ones. */
#include "fixture.h"

#include <string.h>

static uint8_t packet[UC_NET_PACKET_MAX];
static const struct virtio_net_hdr plain;

static void fill(uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		packet[i] = (uint8_t)(i * 13 + (i >> 8));
}

static void one_packet_arrives(void **state)
{
	struct net_guest *g = *state;
	netif_rx_response_t response;

	fill(1000);
	rx_give(g, 7, 1);
	wire_put(g, &plain, packet, 1000);
	run(g);
	response = rx_response(g);
	assert_int_equal(response.id, 7);
	assert_int_equal(response.offset, 0);
	assert_int_equal(response.flags, 0);
	assert_int_equal(response.status, 1000);
	assert_memory_equal(buffer(g, 7), packet, 1000);
	assert_int_equal(buffer(g, 7)[1000], 0);
	assert_true(raised(g, g->config.rx_port));
	assert_false(g->is_calm); /* somebody waits for what arrives */
	assert_int_equal(grant_flags(g, BUF_REF + 7), GTF_permit_access);
}

static void a_large_packet_takes_several_slots(void **state)
{
	struct net_guest *g = *state;

	fill(10000);
	rx_give(g, 0, 20);
	wire_put(g, &plain, packet, 10000);
	run(g);
	for (int i = 0; i < 3; i++) {
		netif_rx_response_t response = rx_response(g);

		assert_int_equal(response.id, i);
		assert_int_equal(response.flags, i < 2 ? NETRXF_more_data : 0);
		assert_int_equal(response.status, i < 2 ? 4096 : 10000 - 8192);
		assert_memory_equal(buffer(g, (uint32_t)i), packet + 4096 * i,
				    (size_t)response.status);
	}
	assert_false(rx_has_response(g));
}

static void it_waits_for_enough_buffers(void **state)
{
	struct net_guest *g = *state;

	fill(10000);
	wire_put(g, &plain, packet, 10000);
	wire_put(g, &plain, packet, 100);
	for (uint32_t given = 0; given < 2; given++) {
		rx_give(g, given, 1);
		run(g);
		assert_false(rx_has_response(g));
		/* The very next buffer is to be told of. */
		assert_int_equal(g->rx->req_event, given + 2);
	}
	rx_give(g, 2, 2);
	run(g);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rx_response(g).id, i);
	assert_int_equal(rx_response(g).status, 100);
	assert_int_equal(g->queue.stats.rx_dropped, 0);
}

/* What is not read stays in the tap. */
static void the_tap_is_not_read_without_buffers(void **state)
{
	struct net_guest *g = *state;

	for (int i = 0; i < 10; i++)
		wire_put(g, &plain, packet, (uint32_t)(100 + i));
	run(g);
	assert_true(g->queue.tap_ready);
	rx_give(g, 0, 10);
	run(g);
	for (int i = 0; i < 10; i++)
		assert_int_equal(rx_response(g).status, 100 + i);
}

static void the_ring_goes_round(void **state)
{
	struct net_guest *g = *state;

	rx_give(g, 0, RING_SLOTS);
	for (uint32_t i = 0; i < 4 * RING_SLOTS; i++) {
		netif_rx_response_t response;

		packet[0] = (uint8_t)i;
		wire_put(g, &plain, packet, ETH_MIN);
		run(g);
		response = rx_response(g);
		assert_int_equal(response.id, i % BUFS);
		assert_int_equal(buffer(g, response.id)[0], (uint8_t)i);
		rx_give(g, (i + RING_SLOTS) % BUFS, 1);
	}
}

static struct virtio_net_hdr blank(bool ipv6, bool tcp, uint8_t gso_type)
{
	return (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				       .gso_type = gso_type,
				       .gso_size = gso_type ? 1400 : 0,
				       .csum_start = ipv6 ? 54 : 34,
				       .csum_offset = tcp ? 16 : 6};
}

static void a_blank_checksum_stays_blank(void **state)
{
	struct net_guest *g = *state;

	rx_give(g, 0, 20);
	for (int kind = 0; kind < 4; kind++) {
		bool ipv6 = kind & 1, tcp = kind & 2;
		struct virtio_net_hdr header = blank(ipv6, tcp, 0);
		uint32_t len = make_packet(packet, ipv6, tcp, 501);
		netif_rx_response_t response;

		wire_put(g, &header, packet, len);
		run(g);
		response = rx_response(g);
		assert_int_equal(response.flags, NETRXF_csum_blank | NETRXF_data_validated);
		assert_memory_equal(buffer(g, response.id), packet, len);
	}
}

/* The front end takes no blank checksums: it is finished here. */
static void a_blank_checksum_is_finished(void **state)
{
	struct net_guest *g = *state;

	g->queue.config.features.csum_ipv4 = g->queue.config.features.csum_ipv6 = false;
	rx_give(g, 0, 20);
	for (int kind = 0; kind < 8; kind++) {
		bool ipv6 = kind & 1, tcp = kind & 2;
		struct virtio_net_hdr header = blank(ipv6, tcp, 0);
		uint32_t len = make_packet(packet, ipv6, tcp, 500 + (kind >> 2));
		netif_rx_response_t response;

		assert_false(checksum_is_right(packet, len));
		wire_put(g, &header, packet, len);
		run(g);
		response = rx_response(g);
		assert_int_equal(response.flags, NETRXF_data_validated);
		assert_true(checksum_is_right(buffer(g, response.id), len));
	}
}

/* The front end could not find the place by itself. */
static void a_blank_checksum_elsewhere_is_finished(void **state)
{
	struct net_guest *g = *state;
	struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 20, .csum_offset = 10};
	uint8_t want[2] = {0, 0};
	uint32_t sum = 0;

	fill(100);
	packet[12] = 0x88; /* no IP */
	packet[30] = packet[31] = 0;
	for (int i = 20; i < 100; i += 2)
		sum += (uint32_t)packet[i] << 8 | packet[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	want[0] = (uint8_t)(~sum >> 8);
	want[1] = (uint8_t)~sum;
	rx_give(g, 0, 1);
	wire_put(g, &header, packet, 100);
	run(g);
	assert_int_equal(rx_response(g).flags, NETRXF_data_validated);
	assert_memory_equal(buffer(g, 0) + 30, want, 2);
}

/* So it is when it is TCP, but the sum starts where no front end would start it. */
static void a_blank_checksum_from_elsewhere_is_finished(void **state)
{
	struct net_guest *g = *state;
	struct virtio_net_hdr header = blank(false, true, 0);
	uint32_t len = make_packet(packet, false, true, 500);

	header.csum_start += 2;
	rx_give(g, 0, 1);
	wire_put(g, &header, packet, len);
	run(g);
	assert_int_equal(rx_response(g).flags, NETRXF_data_validated);
}

/* In UDP, 0 would say that there is no checksum. */
static void a_finished_checksum_is_never_0(void **state)
{
	uint32_t len = make_packet(packet, false, false, 100), zeros = 0;
	uint8_t pseudo[2];

	(void)state;
	memcpy(pseudo, packet + 40, 2);
	for (uint32_t i = 0; i < 65536; i++) {
		memcpy(packet + 40, pseudo, 2);
		packet[len - 2] = (uint8_t)(i >> 8);
		packet[len - 1] = (uint8_t)i;
		assert_int_equal(uc_net_finish_checksum(packet, len, 34, 6), 0);
		zeros += packet[40] == 0xff && packet[41] == 0xff;
		assert_true(packet[40] || packet[41]);
		assert_true(checksum_is_right(packet, len));
	}
	assert_true(zeros > 0);
}

static void segments_are_told_of(void **state)
{
	struct net_guest *g = *state;

	rx_give(g, 0, 40);
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct virtio_net_hdr header = blank(
			ipv6, true, ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4);
		uint32_t len = make_packet(packet, ipv6, true, 9000);
		netif_rx_response_t first;
		struct netif_extra_info extra;

		wire_put(g, &header, packet, len);
		run(g);
		first = rx_response(g);
		assert_int_equal(first.flags, NETRXF_csum_blank | NETRXF_data_validated |
						      NETRXF_extra_info | NETRXF_more_data);
		extra = rx_extra(g);
		assert_int_equal(extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
		assert_int_equal(extra.flags, 0);
		assert_int_equal(extra.u.gso.size, 1400);
		assert_int_equal(extra.u.gso.type,
				 ipv6 ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_TCPV4);
		/* Its own request's buffer is not used: the next data is in the one after. */
		assert_int_equal(rx_response(g).id, first.id + 2);
		assert_memory_equal(buffer(g, first.id + 2u), packet + 4096, 4096);
		assert_int_equal(rx_response(g).flags, 0);
	}
}

static void the_largest_packet_needs_17_slots_and_one(void **state)
{
	struct net_guest *g = *state;
	struct virtio_net_hdr header = blank(false, true, VIRTIO_NET_HDR_GSO_TCPV4);
	uint32_t len = make_packet(packet, false, true, 65535 - 40);

	rx_give(g, 0, 17);
	wire_put(g, &header, packet, len);
	run(g);
	assert_false(rx_has_response(g));
	rx_give(g, 17, 1);
	run(g);
	for (int i = 0; i < 18; i++)
		rx_response(g);
	assert_false(rx_has_response(g));
	assert_int_equal(g->queue.stats.rx_bytes, len);
}

/* ---- what the front end does not take ---- */

static void is_dropped(struct net_guest *g, const struct virtio_net_hdr *header, uint32_t len)
{
	uint64_t before = g->queue.stats.rx_dropped;

	rx_give(g, 0, 30);
	wire_put(g, header, packet, len);
	run(g);
	assert_false(rx_has_response(g));
	assert_int_equal(g->queue.stats.rx_dropped, before + 1);
}

static void without_sg_one_page_is_the_most(void **state)
{
	struct net_guest *g = *state;

	g->queue.config.features.sg = false;
	is_dropped(g, &plain, 4097);
	wire_put(g, &plain, packet, 4096);
	run(g);
	assert_int_equal(rx_response(g).status, 4096);
}

static void segments_that_were_not_asked_for(void **state)
{
	struct net_guest *g = *state;
	struct virtio_net_hdr header = blank(false, true, VIRTIO_NET_HDR_GSO_TCPV4);

	g->queue.config.features.tso_ipv4 = false;
	is_dropped(g, &header, make_packet(packet, false, true, 9000));
	g->queue.config.features.tso_ipv4 = true;
	header.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	is_dropped(g, &header, make_packet(packet, false, false, 9000));
}

static void too_short(void **state)
{
	is_dropped(*state, &plain, 13);
}

/* ---- bad buffers, bad indices ---- */

static void a_revoked_buffer_loses_that_packet(void **state)
{
	struct net_guest *g = *state;
	netif_rx_response_t response;

	grant(g, BUF_REF + 1, 0, 0);
	rx_give(g, 0, 4);
	wire_put(g, &plain, packet, 10000);
	wire_put(g, &plain, packet, 100);
	run(g);
	assert_int_equal(rx_response(g).status, 4096);
	response = rx_response(g);
	assert_int_equal(response.status, NETIF_RSP_ERROR);
	assert_int_equal(response.flags, NETRXF_more_data);
	assert_int_equal(rx_response(g).status, 10000 - 8192);
	assert_int_equal(rx_response(g).status, 100);
	assert_int_equal(g->queue.stats.rx_errors, 1);
	assert_int_equal(g->queue.stats.rx_packets, 1);
}

static void a_read_only_buffer_is_not_written(void **state)
{
	struct net_guest *g = *state;

	fill(100);
	grant(g, BUF_REF, BUF_FRAME, GTF_permit_access | GTF_readonly);
	rx_give(g, 0, 1);
	wire_put(g, &plain, packet, 100);
	run(g);
	assert_int_equal(rx_response(g).status, NETIF_RSP_ERROR);
	for (int i = 0; i < 100; i++)
		assert_int_equal(buffer(g, 0)[i], 0);
}

static void an_impossible_index_breaks(void **state)
{
	struct net_guest *g = *state;

	rx_give(g, 0, RING_SLOTS + 1);
	wire_put(g, &plain, packet, 100);
	run(g);
	assert_true(g->queue.broken);
	assert_false(rx_has_response(g));
}

static void an_index_that_moves_back_later_breaks(void **state)
{
	struct net_guest *g = *state;

	rx_give(g, 0, 2);
	wire_put(g, &plain, packet, 100);
	run(g);
	rx_response(g);
	g->rx->req_prod = 0;
	wire_put(g, &plain, packet, 100);
	run(g);
	assert_true(g->queue.broken);
	assert_false(rx_has_response(g));
}

/* What the guest writes into the words that are ours changes nothing. */
static void our_own_indices_are_not_read_back(void **state)
{
	struct net_guest *g = *state;

	rx_give(g, 0, 4);
	wire_put(g, &plain, packet, 100);
	run(g);
	rx_response(g);
	g->rx->rsp_prod = 77;
	wire_put(g, &plain, packet, 101);
	run(g);
	assert_int_equal(g->rx->rsp_prod, 2);
	assert_int_equal(rx_response(g).status, 101);
}

static void the_event_is_raised_when_asked_for(void **state)
{
	struct net_guest *g = *state;
	uint32_t port = g->config.rx_port;

	raised(g, port);
	rx_give(g, 0, 10);
	g->rx->rsp_event = 3;
	for (int i = 1; i < 6; i++) {
		wire_put(g, &plain, packet, 100);
		run(g);
		assert_int_equal(raised(g, port), i == 3);
	}
	assert_false(raised(g, g->config.tx_port));
}

/* ---- opening ---- */

static int setup_closed(void **state)
{
	*state = guest_new();
	return 0;
}

static void one_channel_for_both(void **state)
{
	struct net_guest *g = *state;

	g->config.rx_port = g->config.tx_port;
	open_queue(g);
	raised(g, g->config.tx_port);
	rx_give(g, 0, 1);
	wire_put(g, &plain, packet, 100);
	run(g);
	assert_true(raised(g, g->config.tx_port));
	tx_packet(g, 1, ETH_MIN, 0);
	run(g);
	assert_true(raised(g, g->config.tx_port));
}

static void what_cannot_be_opened(void **state)
{
	struct net_guest *g = *state;
	struct uc_net_queue_config good = g->config;

	for (int i = 0; i < 6; i++) {
		g->config = good;
		if (i == 0)
			g->config.tx_ref = GRANTS;
		if (i == 1)
			g->config.rx_ref = 50;
		if (i == 2)
			grant(g, TX_REF, TX_FRAME, GTF_permit_access | GTF_readonly);
		if (i == 3)
			g->config.tx_port = PORTS;
		if (i == 4)
			g->config.rx_port = 0;
		if (i == 5)
			assert_int_equal(uc_close(&g->domain, good.rx_port), 0);
		assert_true(uc_net_queue_open(&g->queue, &g->config) < 0);
		memset(&g->queue, 0, sizeof(g->queue));
		grant(g, TX_REF, TX_FRAME, grant_flags(g, TX_REF) & ~GTF_readonly);
		assert_int_equal(grant_flags(g, TX_REF), GTF_permit_access);
		assert_int_equal(grant_flags(g, RX_REF), GTF_permit_access);
	}
	g->config = good;
}

static void opened_again_it_goes_on(void **state)
{
	struct net_guest *g = *state;

	for (int i = 0; i < 3; i++) {
		open_queue(g);
		assert_int_equal(grant_flags(g, TX_REF),
				 GTF_permit_access | GTF_reading | GTF_writing);
		tx_packet(g, 0, ETH_MIN, 0);
		run(g);
		assert_int_equal(tx_response(g).status, NETIF_RSP_OKAY);
		uc_net_queue_close(&g->queue);
		memset(&g->queue, 0, sizeof(g->queue));
		assert_int_equal(grant_flags(g, TX_REF), GTF_permit_access);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, guest_setup, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_packet_arrives),
		TEST(a_large_packet_takes_several_slots),
		TEST(it_waits_for_enough_buffers),
		TEST(the_tap_is_not_read_without_buffers),
		TEST(the_ring_goes_round),
		TEST(a_blank_checksum_stays_blank),
		TEST(a_blank_checksum_is_finished),
		TEST(a_blank_checksum_elsewhere_is_finished),
		TEST(a_blank_checksum_from_elsewhere_is_finished),
		TEST(a_finished_checksum_is_never_0),
		TEST(segments_are_told_of),
		TEST(the_largest_packet_needs_17_slots_and_one),
		TEST(without_sg_one_page_is_the_most),
		TEST(segments_that_were_not_asked_for),
		TEST(too_short),
		TEST(a_revoked_buffer_loses_that_packet),
		TEST(a_read_only_buffer_is_not_written),
		TEST(an_impossible_index_breaks),
		TEST(an_index_that_moves_back_later_breaks),
		TEST(our_own_indices_are_not_read_back),
		TEST(the_event_is_raised_when_asked_for),
		cmocka_unit_test_setup_teardown(one_channel_for_both, setup_closed, guest_teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_opened, setup_closed,
						guest_teardown),
		cmocka_unit_test_setup_teardown(opened_again_it_goes_on, setup_closed,
						guest_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
