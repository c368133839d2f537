/* SPDX-License-Identifier: MIT */
/* `upcall trace`: requests are paired with their own answers, and with no others. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "trace_file.h"
#include "vmm/trace_packet.h"

#define RX 10u
#define TX 11u

/* ---- pairing ---- */

static void packet(enum uc_trace_kind kind, uint32_t tag)
{
	uc_trace_put(kind, 0, RX, tag, uc_trace_packet_arg(98, TX));
}

static void request(uint32_t tag)
{
	packet(UC_TRACE_TAP_READ, tag);
	packet(UC_TRACE_RX_FILLED, tag);
	uc_trace_put(UC_TRACE_RAISE, 0, RX, tag, 0x1b);
	uc_trace_put(UC_TRACE_KICK, 2, 0, 0, 0);
	uc_trace_put(UC_TRACE_RAISED, 2, RX, tag, 0);
}

static void answer(uint32_t tag)
{
	packet(UC_TRACE_TX_TAKEN, tag);
	packet(UC_TRACE_TAP_WRITE, tag);
}

static struct uc_trace_requests match(struct uc_trace_log *log, uint32_t port)
{
	struct uc_trace_requests requests;

	*log = trace_end();
	assert_int_equal(uc_trace_match(&requests, log, port), 0);
	return requests;
}

static void done(struct uc_trace_requests *requests, struct uc_trace_log *log)
{
	uc_trace_requests_free(requests);
	uc_trace_free(log);
}

static void assert_counts(const struct uc_trace_requests *r, size_t answered, size_t unanswered,
			  size_t ambiguous)
{
	assert_int_equal(r->answered, answered);
	assert_int_equal(r->unanswered, unanswered);
	assert_int_equal(r->ambiguous, ambiguous);
	assert_int_equal(r->nr, answered + unanswered + ambiguous);
}

static void test_a_request_has_all_stages(void **state)
{
	struct uc_trace_requests r;
	const struct uc_trace_request *q;
	struct uc_trace_log log;

	(void)state;
	trace_begin(1, 64);
	request(5);
	uc_trace(UC_TRACE_SEND, 2, TX, 0);
	answer(5);
	r = match(&log, 0);
	assert_counts(&r, 1, 0, 0);
	q = &r.all[0];
	assert_int_equal(q->vcpu, 2);
	assert_int_equal(q->states, 0x1b);
	assert_int_equal(q->first, 0);
	assert_int_equal(q->last, 7);
	assert_true(q->read_ns == log.records[0].time_ns);
	assert_true(q->raise_ns == log.records[2].time_ns);
	assert_true(q->kick_ns == log.records[3].time_ns);
	assert_true(q->sent_ns == log.records[5].time_ns);
	assert_true(q->taken_ns == log.records[6].time_ns);
	assert_true(q->written_ns == log.records[7].time_ns);
	done(&r, &log);
}

static void test_answers_out_of_order_go_to_their_own_requests(void **state)
{
	struct uc_trace_requests r;
	struct uc_trace_log log;

	(void)state;
	trace_begin(1, 64);
	request(1);
	request(2);
	request(3);
	answer(3);
	answer(1);
	r = match(&log, 0);
	assert_counts(&r, 2, 1, 0);
	assert_true(r.all[0].written_ns > r.all[2].written_ns);
	assert_true(!r.all[1].written_ns && !r.all[1].taken_ns);
	done(&r, &log);
}

static void test_a_repeated_request_is_ambiguous(void **state)
{
	struct uc_trace_requests r;
	struct uc_trace_log log;

	(void)state;
	trace_begin(1, 64);
	request(1);
	request(1);
	answer(1);
	request(2);
	answer(2);
	request(2); /* after its answer the tag is free again */
	answer(2);
	r = match(&log, 0);
	assert_counts(&r, 2, 0, 1);
	done(&r, &log);
}

static void test_what_the_guest_asks_is_no_request(void **state)
{
	struct uc_trace_requests r;
	struct uc_trace_log log;

	(void)state;
	trace_begin(1, 64);
	answer(9);  /* the guest's own request leaves, */
	request(9); /* and its answer comes */
	request(0); /* no echo */
	answer(0);
	r = match(&log, 0);
	assert_counts(&r, 0, 0, 0);
	done(&r, &log);
}

static void test_a_notification_that_may_be_anothers_is_not_used(void **state)
{
	struct uc_trace_requests r;
	struct uc_trace_log log;

	(void)state;
	trace_begin(1, 64);
	uc_trace(UC_TRACE_SEND, 2, TX, 0); /* before the request */
	request(1);
	uc_trace(UC_TRACE_SEND, 2, TX + 1, 0); /* of another queue */
	answer(1);
	request(2);
	uc_trace(UC_TRACE_SEND, 2, TX, 0);
	uc_trace(UC_TRACE_SEND, 2, TX, 0);
	answer(2);
	r = match(&log, 0);
	assert_counts(&r, 2, 0, 0);
	assert_true(!r.all[0].sent_ns && !r.all[1].sent_ns);
	assert_int_equal(uc_trace_stage_ns(&r.all[0], UC_TRACE_STAGE_GUEST), 0);
	assert_true(uc_trace_stage_ns(&r.all[0], UC_TRACE_STAGE_ANSWER) > 0);
	done(&r, &log);
}

static void test_a_kick_of_another_thread_is_not_the_raises(void **state)
{
	struct uc_trace_requests r;
	struct uc_trace_log log;
	pthread_t thread;

	(void)state;
	trace_begin(2, 64);
	packet(UC_TRACE_TAP_READ, 1);
	uc_trace_put(UC_TRACE_RAISE, 0, RX, 1, 0);
	assert_int_equal(pthread_create(&thread, NULL, trace_record_one, NULL), 0);
	pthread_join(thread, NULL);
	uc_trace_put(UC_TRACE_RAISED, 2, RX, 1, 0);
	uc_trace_put(UC_TRACE_KICK, 2, 0, 0, 0); /* after the raise */
	answer(1);
	r = match(&log, 0);
	assert_counts(&r, 1, 0, 0);
	assert_int_equal(r.all[0].kick_ns, 0);
	done(&r, &log);
}

static void test_a_restart_ends_what_was_open(void **state)
{
	struct uc_trace_requests r;
	struct uc_trace_log log;

	(void)state;
	trace_begin(1, 64);
	request(1);
	uc_trace(UC_TRACE_START, 0, 0, 1);
	request(1);
	answer(1);
	r = match(&log, 0);
	assert_counts(&r, 1, 1, 0);
	assert_true(r.all[1].written_ns && !r.all[0].written_ns);
	done(&r, &log);
}

static void test_only_a_ports_requests_are_kept(void **state)
{
	struct uc_trace_requests r;
	struct uc_trace_log log;

	(void)state;
	trace_begin(1, 64);
	request(1);
	answer(1);
	r = match(&log, RX + 1);
	assert_counts(&r, 0, 0, 0);
	uc_trace_requests_free(&r);
	assert_int_equal(uc_trace_match(&r, &log, RX), 0);
	assert_counts(&r, 1, 0, 0);
	done(&r, &log);
}

static void test_times_of_a_stage_are_those_of_answered_requests_ascending(void **state)
{
	struct uc_trace_requests r;
	struct uc_trace_log log;
	uint64_t *times;
	size_t n;

	(void)state;
	trace_begin(1, 256);
	for (uint32_t i = 1; i <= 10; i++) {
		request(i);
		answer(i);
	}
	request(11);
	r = match(&log, 0);
	times = uc_trace_stage_times(&r, UC_TRACE_STAGE_READ, &n);
	assert_int_equal(n, 10);
	for (size_t i = 1; i < n; i++)
		assert_true(times[i] >= times[i - 1]);
	free(times);
	times = uc_trace_stage_times(&r, UC_TRACE_STAGE_GUEST, &n);
	assert_int_equal(n, 0);
	free(times);
	done(&r, &log);
}

/* ---- tags ---- */

static uint32_t make_ipv4(uint8_t *p, uint8_t protocol, bool reverse, const void *l4, uint32_t len)
{
	static const uint8_t a[] = {10, 77, 0, 1}, b[] = {10, 77, 0, 2};

	memset(p, 0, 34);
	p[12] = 0x08;
	p[14] = 0x45;
	p[23] = protocol;
	memcpy(p + 26, reverse ? b : a, 4);
	memcpy(p + 30, reverse ? a : b, 4);
	memcpy(p + 34, l4, len);
	return 34 + len;
}

static uint32_t make_ipv6(uint8_t *p, uint8_t protocol, bool reverse, const void *l4, uint32_t len)
{
	memset(p, 0, 54);
	p[12] = 0x86;
	p[13] = 0xdd;
	p[14] = 0x60;
	p[20] = protocol;
	p[22 + 15] = reverse ? 2 : 1;
	p[38 + 15] = reverse ? 1 : 2;
	memcpy(p + 54, l4, len);
	return 54 + len;
}

static void test_an_echo_and_its_reply_have_one_tag(void **state)
{
	uint8_t to[128], from[128], ask[] = {8, 0, 1, 1, 0, 7, 0, 9},
				    say[] = {0, 0, 9, 1, 0, 7, 0, 9};
	uint32_t tag, n = make_ipv4(to, 1, false, ask, 8), m = make_ipv4(from, 1, true, say, 8);

	(void)state;
	tag = uc_trace_tag(to, n, true);
	assert_int_not_equal(tag, 0);
	assert_int_equal(uc_trace_tag(from, m, false), tag);
	/* The other way round they are the guest's own. */
	assert_int_equal(uc_trace_tag(to, n, false), 0);
	assert_int_equal(uc_trace_tag(from, m, true), 0);
	to[34 + 7]++; /* the next in the sequence */
	assert_int_not_equal(uc_trace_tag(to, n, true), tag);
	to[34 + 7]--;
	to[20] = 0x20; /* a fragment */
	assert_int_equal(uc_trace_tag(to, n, true), 0);
}

static void test_an_ipv6_echo_and_its_reply_have_one_tag(void **state)
{
	uint8_t to[128], from[128], ask[] = {128, 0, 1, 1, 0, 7, 0, 9};
	uint8_t say[] = {129, 0, 9, 1, 0, 7, 0, 9};
	uint32_t n = make_ipv6(to, 58, false, ask, 8), m = make_ipv6(from, 58, true, say, 8);

	(void)state;
	assert_int_not_equal(uc_trace_tag(to, n, true), 0);
	assert_int_equal(uc_trace_tag(from, m, false), uc_trace_tag(to, n, true));
}

static void test_a_udp_echo_and_its_reply_have_one_tag(void **state)
{
	uint8_t to[128], from[128];
	uint8_t ask[] = {1, 2, 0, 7, 0, 20, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
	uint8_t say[] = {0, 7, 1, 2, 0, 20, 5, 5, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0};
	uint32_t tag, n = make_ipv4(to, 17, false, ask, 20), m = make_ipv4(from, 17, true, say, 20);

	(void)state;
	tag = uc_trace_tag(to, n, true);
	assert_int_not_equal(tag, 0);
	assert_int_equal(uc_trace_tag(from, m, false), tag);
	for (int i = 0; i < 8; i++) {
		from[42 + i] ^= 1;
		assert_int_not_equal(uc_trace_tag(from, m, false), tag);
		from[42 + i] ^= 1;
	}
}

static void test_tags_of_a_sequence_differ(void **state)
{
	static uint32_t tags[65536];
	uint8_t to[128], ask[] = {8, 0, 0, 0, 0, 1, 0, 0};
	uint32_t same = 0;

	(void)state;
	for (uint32_t i = 0; i < 65536; i++) {
		ask[6] = (uint8_t)(i >> 8);
		ask[7] = (uint8_t)i;
		tags[i] = uc_trace_tag(to, make_ipv4(to, 1, false, ask, 8), true);
	}
	for (uint32_t i = 1; i < 65536; i++)
		for (uint32_t j = i > 256 ? i - 256 : 0; j < i; j++)
			same += tags[i] == tags[j];
	assert_int_equal(same, 0);
}

static void test_short_and_other_packets_have_no_tag(void **state)
{
	uint8_t p[128], tcp[20] = {0}, ask[] = {8, 0, 1, 1, 0, 7, 0, 9};
	uint32_t n = make_ipv4(p, 6, false, tcp, 20);

	(void)state;
	assert_int_equal(uc_trace_tag(p, n, true), 0);
	n = make_ipv4(p, 1, false, ask, 8);
	for (uint32_t len = 0; len < n; len++) {
		uint8_t *exact = malloc(len ? len : 1); /* an overrun is seen under ASan */

		memcpy(exact, p, len);
		assert_int_equal(uc_trace_tag(exact, len, true), 0);
		free(exact);
	}
	p[14] = 0x4f; /* an IP header that ends behind the packet */
	assert_int_equal(uc_trace_tag(p, n, true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_request_has_all_stages),
		cmocka_unit_test(test_answers_out_of_order_go_to_their_own_requests),
		cmocka_unit_test(test_a_repeated_request_is_ambiguous),
		cmocka_unit_test(test_what_the_guest_asks_is_no_request),
		cmocka_unit_test(test_a_notification_that_may_be_anothers_is_not_used),
		cmocka_unit_test(test_a_kick_of_another_thread_is_not_the_raises),
		cmocka_unit_test(test_a_restart_ends_what_was_open),
		cmocka_unit_test(test_only_a_ports_requests_are_kept),
		cmocka_unit_test(test_times_of_a_stage_are_those_of_answered_requests_ascending),
		cmocka_unit_test(test_an_echo_and_its_reply_have_one_tag),
		cmocka_unit_test(test_an_ipv6_echo_and_its_reply_have_one_tag),
		cmocka_unit_test(test_a_udp_echo_and_its_reply_have_one_tag),
		cmocka_unit_test(test_tags_of_a_sequence_differ),
		cmocka_unit_test(test_short_and_other_packets_have_no_tag),
	};

	return cmocka_run_group_tests(tests, trace_setup, trace_teardown);
}
