/* SPDX-License-Identifier: MIT */
/* Messages between the lab's two ends: whole, or an error. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab/wire.h"

static char payload[UC_LAB_PAYLOAD_MAX + 1];
static int end[2];

static int connect_ends(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_STREAM, 0, end);
}

static int close_ends(void **state)
{
	(void)state;
	close(end[0]);
	close(end[1]);
	return 0;
}

static void a_message_arrives_whole(void **state)
{
	struct uc_lab_msg out = {.type = UC_LAB_MSG_ARG, .len = 4, .arg = {1, 2, UINT64_MAX}}, in;

	(void)state;
	memset(payload, 'x', sizeof(payload));
	assert_int_equal(uc_wire_send(end[0], &out, "word"), 0);
	assert_int_equal(uc_wire_recv(end[1], &in, payload), 0);
	assert_memory_equal(&in, &out, sizeof(in));
	assert_string_equal(payload, "word");
}

static void an_oversized_payload_is_refused_unread(void **state)
{
	struct uc_lab_msg out = {.type = UC_LAB_MSG_CHUNK, .len = UC_LAB_PAYLOAD_MAX + 1}, in;

	(void)state;
	assert_int_equal(uc_wire_write(end[0], &out, sizeof(out)), 0);
	assert_int_equal(uc_wire_recv(end[1], &in, payload), -EPROTO);
}

static void a_cut_message_is_an_error(void **state)
{
	struct uc_lab_msg out = {.type = UC_LAB_MSG_CHUNK, .len = 8}, in;

	(void)state;
	assert_int_equal(uc_wire_write(end[0], &out, sizeof(out)), 0);
	assert_int_equal(uc_wire_write(end[0], "1234", 4), 0);
	shutdown(end[0], SHUT_WR);
	assert_int_equal(uc_wire_recv(end[1], &in, payload), -EPIPE);
}

static void a_dead_reader_is_an_error(void **state)
{
	struct uc_lab_msg out = {.type = UC_LAB_MSG_START};

	(void)state;
	shutdown(end[1], SHUT_RDWR);
	assert_int_equal(uc_wire_send(end[0], &out, NULL), -EPIPE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_message_arrives_whole, connect_ends, close_ends),
		cmocka_unit_test_setup_teardown(an_oversized_payload_is_refused_unread,
						connect_ends, close_ends),
		cmocka_unit_test_setup_teardown(a_cut_message_is_an_error, connect_ends,
						close_ends),
		cmocka_unit_test_setup_teardown(a_dead_reader_is_an_error, connect_ends,
						close_ends),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
