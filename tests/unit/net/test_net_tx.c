/* SPDX-License-Identifier: MIT */
/* What a guest sends, in good order and in bad. */
#include "fixture.h"

#include <string.h>

#include "vmm/routing.h"

static uint8_t packet[UC_NET_PACKET_MAX];
static struct virtio_net_hdr header;

static void one_packet_arrives_and_is_answered(void **state)
{
	struct net_guest *g = *state;
	netif_tx_response_t response;

	memset(buffer(g, 5), 0x5a, 100);
	tx_packet(g, 5, 100, 0);
	run(g);
	assert_int_equal(wire_get(g, &header, packet), 100);
	assert_memory_equal(packet, buffer(g, 5), 100);
	assert_int_equal(header.flags, 0);
	assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	response = tx_response(g);
	assert_int_equal(response.id, 5);
	assert_int_equal(response.status, NETIF_RSP_OKAY);
	assert_false(tx_has_response(g));
	assert_int_equal(grant_flags(g, BUF_REF + 5), GTF_permit_access);
}

static void pieces_are_put_together(void **state)
{
	struct net_guest *g = *state;
	uint8_t want[60 + 4096 + 100];

	for (uint32_t i = 0; i < sizeof(want); i++)
		want[i] = (uint8_t)(i * 7);
	memcpy(buffer(g, 0) + 4036, want, 60);
	memcpy(buffer(g, 1), want + 60, 4096);
	memcpy(buffer(g, 2) + 3996, want + 60 + 4096, 100);
	tx_slot(g, (netif_tx_request_t){.gref = BUF_REF,
					.offset = 4036,
					.size = sizeof(want),
					.flags = NETTXF_more_data,
					.id = 10});
	tx_slot(g, (netif_tx_request_t){
			   .gref = BUF_REF + 1, .size = 4096, .flags = NETTXF_more_data, .id = 11});
	tx_slot(g,
		(netif_tx_request_t){.gref = BUF_REF + 2, .offset = 3996, .size = 100, .id = 12});
	tx_show(g);
	run(g);
	assert_int_equal(wire_get(g, &header, packet), sizeof(want));
	assert_memory_equal(packet, want, sizeof(want));
	for (int i = 10; i <= 12; i++) {
		netif_tx_response_t response = tx_response(g);

		assert_int_equal(response.id, i);
		assert_int_equal(response.status, NETIF_RSP_OKAY);
	}
}

static void the_ring_goes_round(void **state)
{
	struct net_guest *g = *state;

	for (uint32_t i = 0; i < 3 * RING_SLOTS; i++) {
		buffer(g, i % BUFS)[20] = (uint8_t)i;
		tx_packet(g, i % BUFS, ETH_MIN, 0);
		if (i % 50)
			continue;
		run(g);
		while (wire_get(g, &header, packet) >= 0)
			continue;
		while (tx_has_response(g))
			assert_int_equal(tx_response(g).status, NETIF_RSP_OKAY);
	}
	assert_false(g->queue.broken);
}

static void a_full_ring_is_taken(void **state)
{
	struct net_guest *g = *state;

	for (uint32_t i = 0; i < RING_SLOTS; i++)
		tx_packet(g, i, ETH_MIN, 0);
	run(g);
	for (uint32_t i = 0; i < RING_SLOTS; i++)
		assert_int_equal(tx_response(g).id, i);
	assert_false(tx_has_response(g));
}

static void a_blank_checksum_is_described(void **state)
{
	struct net_guest *g = *state;

	for (int kind = 0; kind < 4; kind++) {
		bool ipv6 = kind & 1, tcp = kind & 2;
		uint32_t len = make_packet(buffer(g, 0), ipv6, tcp, 333);

		tx_packet(g, 0, (uint16_t)len, NETTXF_csum_blank | NETTXF_data_validated);
		run(g);
		assert_int_equal(wire_get(g, &header, packet), len);
		assert_int_equal(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		assert_int_equal(header.csum_start, ipv6 ? 54 : 34);
		assert_int_equal(header.csum_offset, tcp ? 16 : 6);
		assert_int_equal(tx_response(g).status, NETIF_RSP_OKAY);
	}
}

static void a_validated_packet_is_marked(void **state)
{
	struct net_guest *g = *state;

	tx_packet(g, 0, ETH_MIN, NETTXF_data_validated);
	run(g);
	assert_int_equal(wire_get(g, &header, packet), ETH_MIN);
	assert_int_equal(header.flags, VIRTIO_NET_HDR_F_DATA_VALID);
}

/* A large TCP packet from buffers 0 and 1; the extra info is the caller's. */
static uint32_t send_gso(struct net_guest *g, bool ipv6, struct netif_extra_info extra,
			 uint16_t flags)
{
	uint32_t len = make_packet(packet, ipv6, true, 6000);

	/* Whoever says it is not blank has not filled it either. */
	if (!(flags & NETTXF_csum_blank))
		packet[(ipv6 ? 54 : 34) + 16] = packet[(ipv6 ? 54 : 34) + 17] = 0;
	memcpy(buffer(g, 0), packet, 4096);
	memcpy(buffer(g, 1), packet + 4096, len - 4096);
	tx_slot(g, (netif_tx_request_t){.gref = BUF_REF,
					.size = (uint16_t)len,
					.flags = flags | NETTXF_more_data | NETTXF_extra_info,
					.id = 1});
	tx_extra(g, extra);
	tx_slot(g,
		(netif_tx_request_t){.gref = BUF_REF + 1, .size = (uint16_t)(len - 4096), .id = 2});
	tx_show(g);
	run(g);
	return len;
}

static struct netif_extra_info gso(uint8_t type, uint16_t size)
{
	return (struct netif_extra_info){.type = XEN_NETIF_EXTRA_TYPE_GSO,
					 .u.gso = {.size = size, .type = type}};
}

static void segmentation_is_described(void **state)
{
	struct net_guest *g = *state;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		uint32_t len = send_gso(
			g, ipv6,
			gso(ipv6 ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_TCPV4, 1400),
			NETTXF_csum_blank | NETTXF_data_validated);

		assert_int_equal(wire_get(g, &header, packet), len);
		assert_int_equal(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		assert_int_equal(header.gso_type,
				 ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4);
		assert_int_equal(header.gso_size, 1400);
		assert_int_equal(header.hdr_len, (ipv6 ? 54 : 34) + 20);
		assert_int_equal(tx_response(g).id, 1);
		assert_int_equal(tx_response(g).status, NETIF_RSP_NULL);
		assert_int_equal(tx_response(g).id, 2);
	}
}

static void a_forgotten_blank_flag_is_put_right(void **state)
{
	struct net_guest *g = *state;
	uint8_t want[UC_NET_ETH_HEADER + 60];
	uint32_t len = make_packet(packet, false, true, 6000);

	memcpy(want, packet, sizeof(want));
	assert_int_equal(len, send_gso(g, false, gso(XEN_NETIF_GSO_TYPE_TCPV4, 1400), 0));
	assert_int_equal(wire_get(g, &header, packet), len);
	assert_int_equal(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_memory_equal(packet, want, sizeof(want));
}

static void gso_of_the_wrong_family_is_refused(void **state)
{
	struct net_guest *g = *state;

	send_gso(g, true, gso(XEN_NETIF_GSO_TYPE_TCPV4, 1400), NETTXF_csum_blank);
	assert_int_equal(wire_get(g, &header, packet), -1);
	assert_int_equal(tx_response(g).status, NETIF_RSP_ERROR);
	assert_int_equal(tx_response(g).status, NETIF_RSP_NULL);
	assert_int_equal(tx_response(g).status, NETIF_RSP_ERROR);
	assert_false(g->queue.broken);
}

/* ---- one packet lost ---- */

static void is_lost(struct net_guest *g, uint32_t slots)
{
	run(g);
	assert_false(g->queue.broken);
	assert_int_equal(wire_get(g, &header, packet), -1);
	for (uint32_t i = 0; i < slots; i++)
		assert_int_equal(tx_response(g).status, NETIF_RSP_ERROR);
	assert_false(tx_has_response(g));
	/* And the next one is not. */
	tx_packet(g, 40, ETH_MIN, 0);
	run(g);
	assert_int_equal(wire_get(g, &header, packet), ETH_MIN);
	assert_int_equal(tx_response(g).status, NETIF_RSP_OKAY);
}

static void a_revoked_grant_loses_the_packet(void **state)
{
	struct net_guest *g = *state;

	grant(g, BUF_REF + 1, 0, 0);
	tx_slot(g, (netif_tx_request_t){.gref = BUF_REF, .size = 200, .flags = NETTXF_more_data});
	tx_slot(g, (netif_tx_request_t){.gref = BUF_REF + 1, .size = 100});
	tx_show(g);
	is_lost(g, 2);
	assert_int_equal(grant_flags(g, BUF_REF), GTF_permit_access);
}

static void a_ref_out_of_range_loses_the_packet(void **state)
{
	struct net_guest *g = *state;

	tx_slot(g, (netif_tx_request_t){.gref = UINT32_MAX, .size = 200});
	tx_show(g);
	is_lost(g, 1);
}

static void too_short_is_lost(void **state)
{
	struct net_guest *g = *state;

	tx_packet(g, 0, 13, 0);
	is_lost(g, 1);
	tx_packet(g, 0, 0, 0);
	is_lost(g, 1);
}

static void pieces_larger_than_the_whole_are_lost(void **state)
{
	struct net_guest *g = *state;

	tx_slot(g, (netif_tx_request_t){.gref = BUF_REF, .size = 100, .flags = NETTXF_more_data});
	tx_slot(g, (netif_tx_request_t){.gref = BUF_REF + 1, .size = 101});
	tx_show(g);
	is_lost(g, 2);
}

static void a_blank_checksum_of_no_protocol_is_lost(void **state)
{
	struct net_guest *g = *state;
	const uint32_t wrong_at[] = {12, 14, 20, 23}; /* type, version, fragment, protocol */

	for (size_t i = 0; i < sizeof(wrong_at) / sizeof(wrong_at[0]); i++) {
		uint32_t len = make_packet(buffer(g, 0), false, true, 100);

		buffer(g, 0)[wrong_at[i]] = 0x3f;
		tx_packet(g, 0, (uint16_t)len, NETTXF_csum_blank);
		is_lost(g, 1);
	}
	make_packet(buffer(g, 0), false, true, 100);
	tx_packet(g, 0, 53, NETTXF_csum_blank); /* ends within the TCP header */
	is_lost(g, 1);
}

static void send_chain(struct net_guest *g, uint32_t slots)
{
	for (uint32_t i = 0; i < slots; i++)
		tx_slot(g, (netif_tx_request_t){.gref = BUF_REF + i,
						.size = (uint16_t)(i ? 10 : 10 * slots + 20),
						.flags = i + 1 < slots ? NETTXF_more_data : 0});
	tx_show(g);
}

static void eighteen_slots_are_the_most(void **state)
{
	struct net_guest *g = *state;

	send_chain(g, 18);
	run(g);
	assert_int_equal(wire_get(g, &header, packet), 200);
	for (int i = 0; i < 18; i++)
		assert_int_equal(tx_response(g).status, NETIF_RSP_OKAY);
	send_chain(g, 19);
	is_lost(g, 19);
	send_chain(g, 20);
	is_lost(g, 20);
}

/* ---- the queue broken ---- */

static void breaks(struct net_guest *g)
{
	run(g);
	assert_true(g->queue.broken);
	assert_int_equal(wire_get(g, &header, packet), -1);
	assert_false(tx_has_response(g));
	/* For good. */
	g->queue.kicked = g->queue.tap_ready = true;
	assert_false(uc_net_queue_run(&g->queue));
	assert_false(tx_has_response(g));
}

static void an_impossible_index_breaks(void **state)
{
	struct net_guest *g = *state;

	g->tx_prod = RING_SLOTS + 1;
	tx_show(g);
	breaks(g);
}

static void an_index_that_goes_back_breaks(void **state)
{
	struct net_guest *g = *state;

	g->tx_prod = UINT32_MAX;
	tx_show(g);
	breaks(g);
}

static void a_chain_without_an_end_breaks(void **state)
{
	struct net_guest *g = *state;

	tx_slot(g, (netif_tx_request_t){.gref = BUF_REF, .size = 100, .flags = NETTXF_more_data});
	tx_show(g);
	breaks(g);
}

static void a_chain_of_a_whole_ring_breaks(void **state)
{
	struct net_guest *g = *state;

	send_chain(g, RING_SLOTS);
	breaks(g);
}

static void a_chain_of_21_breaks(void **state)
{
	send_chain(*state, 21);
	breaks(*state);
}

static void leaving_the_page_breaks(void **state)
{
	struct net_guest *g = *state;

	tx_slot(g, (netif_tx_request_t){.gref = BUF_REF, .offset = 4000, .size = 97});
	tx_show(g);
	breaks(g);
}

static void a_later_piece_that_leaves_the_page_breaks(void **state)
{
	struct net_guest *g = *state;

	tx_slot(g, (netif_tx_request_t){.gref = BUF_REF, .size = 1000, .flags = NETTXF_more_data});
	tx_slot(g, (netif_tx_request_t){.gref = BUF_REF + 1, .offset = UINT16_MAX, .size = 100});
	tx_show(g);
	breaks(g);
}

static void extra_info_that_is_not_there_breaks(void **state)
{
	struct net_guest *g = *state;

	tx_packet(g, 0, 100, NETTXF_extra_info);
	/* It lies in the ring, but the guest has not shown it. */
	tx_extra(g, gso(XEN_NETIF_GSO_TYPE_TCPV4, 1400));
	breaks(g);
}

static void extra_info_without_an_end_breaks(void **state)
{
	struct net_guest *g = *state;
	struct netif_extra_info extra = gso(XEN_NETIF_GSO_TYPE_TCPV4, 1400);

	extra.flags = XEN_NETIF_EXTRA_FLAG_MORE;
	tx_slot(g, (netif_tx_request_t){.gref = BUF_REF, .size = 100, .flags = NETTXF_extra_info});
	for (int i = 1; i < RING_SLOTS; i++)
		tx_extra(g, extra);
	tx_show(g);
	breaks(g);
}

static void unknown_extra_info_breaks(void **state)
{
	struct net_guest *g = *state;

	send_gso(g, false, (struct netif_extra_info){.type = XEN_NETIF_EXTRA_TYPE_MCAST_ADD}, 0);
	breaks(g);
}

static void gso_of_size_0_breaks(void **state)
{
	send_gso(*state, false, gso(XEN_NETIF_GSO_TYPE_TCPV4, 0), NETTXF_csum_blank);
	breaks(*state);
}

static void gso_of_no_type_breaks(void **state)
{
	send_gso(*state, false, gso(3, 1400), NETTXF_csum_blank);
	breaks(*state);
}

/* ---- events ---- */

static void the_event_is_raised_when_asked_for(void **state)
{
	struct net_guest *g = *state;
	uint32_t port = g->config.tx_port;

	raised(g, port);
	g->tx->rsp_event = 2;
	tx_packet(g, 0, ETH_MIN, 0);
	run(g);
	assert_false(raised(g, port));
	tx_packet(g, 1, ETH_MIN, 0);
	run(g);
	assert_true(raised(g, port));
	assert_true(g->is_calm);
	assert_false(uc_routing_is_calm());
	tx_packet(g, 2, ETH_MIN, 0);
	run(g);
	assert_false(raised(g, port));
	assert_false(raised(g, g->config.rx_port));
}

static void an_event_is_asked_for_before_sleep(void **state)
{
	struct net_guest *g = *state;

	for (uint32_t i = 0; i < 5; i++)
		tx_packet(g, i, ETH_MIN, 0);
	run(g);
	assert_int_equal(g->tx->req_event, 6);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, guest_setup, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_packet_arrives_and_is_answered),
		TEST(pieces_are_put_together),
		TEST(the_ring_goes_round),
		TEST(a_full_ring_is_taken),
		TEST(a_blank_checksum_is_described),
		TEST(a_validated_packet_is_marked),
		TEST(segmentation_is_described),
		TEST(a_forgotten_blank_flag_is_put_right),
		TEST(gso_of_the_wrong_family_is_refused),
		TEST(a_revoked_grant_loses_the_packet),
		TEST(a_ref_out_of_range_loses_the_packet),
		TEST(too_short_is_lost),
		TEST(pieces_larger_than_the_whole_are_lost),
		TEST(a_blank_checksum_of_no_protocol_is_lost),
		TEST(eighteen_slots_are_the_most),
		TEST(an_impossible_index_breaks),
		TEST(an_index_that_goes_back_breaks),
		TEST(a_chain_without_an_end_breaks),
		TEST(a_chain_of_a_whole_ring_breaks),
		TEST(a_chain_of_21_breaks),
		TEST(leaving_the_page_breaks),
		TEST(a_later_piece_that_leaves_the_page_breaks),
		TEST(extra_info_that_is_not_there_breaks),
		TEST(extra_info_without_an_end_breaks),
		TEST(unknown_extra_info_breaks),
		TEST(gso_of_size_0_breaks),
		TEST(gso_of_no_type_breaks),
		TEST(the_event_is_raised_when_asked_for),
		TEST(an_event_is_asked_for_before_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
