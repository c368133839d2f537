/* SPDX-License-Identifier: MIT */
/*
 * The server over real sockets. Clients and server share one thread: pump() runs the control loop
 * until nothing is ready, so each test is deterministic and a server that would block would hang.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "machine.h"
#include "vmm/ctl/conn.h"
#include "vmm/ctl/ops.h"

#define MANY_PORTS 2500u
#define STEPS_MAX  100000 /* far above what any test needs: a loop that never rests fails */

static char runtime_dir[64];
static struct machine machine;
static struct uc_ctl *ctl;

static int setup(void **state)
{
	struct uc_diag diag = {0};

	(void)state;
	strcpy(runtime_dir, "/tmp/uc-ctl-XXXXXX");
	if (!mkdtemp(runtime_dir) || setenv("XDG_RUNTIME_DIR", runtime_dir, 1) ||
	    uc_ctl_open(&ctl, "m", &diag) || machine_open(&machine, "m", MANY_PORTS))
		return -1;
	return uc_ctl_attach(ctl, &machine.control, &machine.vm);
}

static int teardown(void **state)
{
	char path[128];

	(void)state;
	uc_ctl_detach(ctl);
	uc_ctl_close(ctl);
	machine_close(&machine);
	snprintf(path, sizeof(path), "%s/upcall", runtime_dir);
	return rmdir(path) || rmdir(runtime_dir); /* socket and lock are gone */
}

static bool step(void)
{
	struct pollfd ready = {.fd = machine.control.epoll_fd, .events = POLLIN};

	if (poll(&ready, 1, 0) != 1)
		return false;
	assert_int_equal(uc_control_step(&machine.control), 0);
	return true;
}

static void pump(void)
{
	for (int i = 0; step(); i++)
		assert_true(i < STEPS_MAX);
}

static int dial_without_pump(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/upcall/m.sock", runtime_dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static int dial(void)
{
	int fd = dial_without_pump();

	pump();
	return fd;
}

static ssize_t put_bytes(int fd, const char *text, size_t bytes)
{
	return send(fd, text, bytes, MSG_NOSIGNAL);
}

static void put(int fd, const char *text)
{
	assert_int_equal(put_bytes(fd, text, strlen(text)), strlen(text));
}

/* One line, without its newline, which the server has sent already; NULL: the end. */
static char *get_line(int fd)
{
	static char line[UC_CTL_OUT_MAX + 1];
	size_t used = 0;

	for (;;) {
		ssize_t n;

		assert_true(used < UC_CTL_OUT_MAX);
		n = recv(fd, line + used, 1, 0);
		if (n < 0 && errno == EAGAIN) {
			/* The rest of a long reply comes when there is room for it. */
			assert_true(step());
			continue;
		}
		if (n <= 0) {
			assert_int_equal(used, 0);
			return NULL;
		}
		if (line[used] == '\n')
			break;
		used++;
	}
	line[used] = '\0';
	return line;
}

static json_t *get(int fd)
{
	char *line = get_line(fd);
	json_t *reply;

	assert_non_null(line);
	reply = json_loads(line, 0, NULL);
	if (!json_is_boolean(json_object_get(reply, "ok")))
		fail_msg("%s is no reply", line);
	return reply;
}

static bool is_silent(int fd)
{
	char byte;

	pump();
	return recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN;
}

static bool is_closed(int fd)
{
	char byte;

	pump();
	return recv(fd, &byte, 1, 0) <= 0 && errno != EAGAIN;
}

static json_t *ask(int fd, const char *request)
{
	json_t *reply, *result;

	put(fd, request);
	pump();
	reply = get(fd);
	assert_true(json_is_true(json_object_get(reply, "ok")));
	result = json_incref(json_object_get(reply, "result"));
	json_decref(reply);
	return result;
}

static void assert_refusal(int fd, const char *errno_name, const char *says)
{
	json_t *reply = get(fd);
	const char *error = json_string_value(json_object_get(reply, "error"));

	assert_true(json_is_false(json_object_get(reply, "ok")));
	assert_non_null(error);
	if (!strstr(error, says))
		fail_msg("\"%s\" does not say \"%s\"", error, says);
	assert_null(strchr(error, '\n'));
	assert_string_equal(json_string_value(json_object_get(reply, "errno")), errno_name);
	json_decref(reply);
}

static void assert_refused(int fd, const char *request, const char *errno_name, const char *says)
{
	put(fd, request);
	pump();
	assert_refusal(fd, errno_name, says);
}

static json_int_t number(const json_t *object, const char *key)
{
	assert_true(json_is_integer(json_object_get(object, key)));
	return json_integer_value(json_object_get(object, key));
}

static const char *string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	assert_non_null(text);
	return text;
}

#define STATUS "{\"op\":\"status\"}\n"

static void assert_serves(int fd)
{
	json_decref(ask(fd, STATUS));
}

/* ---- ops ---- */

static void status_tells_what_the_machine_is(void **state)
{
	int fd = dial();
	json_t *status, *upcalls;

	(void)state;
	machine.vm.evtchn_vcpus[1].upcalls = 1ull << 40;
	status = ask(fd, STATUS);
	assert_string_equal(string(status, "name"), "m");
	assert_string_equal(string(status, "state"), "running");
	assert_string_equal(string(status, "abi"), "2-level");
	assert_int_equal(number(status, "pid"), getpid());
	assert_int_equal(number(status, "vcpus"), MACHINE_VCPUS);
	assert_int_equal(number(status, "memory_mib"), 512);
	assert_int_equal(number(status, "reboots"), 0);
	assert_true(json_number_value(json_object_get(status, "uptime_s")) >= 0);
	/* Its path is not UTF-8 in these tests; JSON has to be. */
	assert_true(json_is_null(json_object_get(status, "kernel")));
	upcalls = json_object_get(status, "upcalls");
	assert_int_equal(json_array_size(upcalls), MACHINE_VCPUS);
	assert_int_equal(json_integer_value(json_array_get(upcalls, 1)), 1ull << 40);
	json_decref(status);
	close(fd);
}

static void status_tells_what_was_left_with_each_vcpu(void **state)
{
	int fd = dial();
	json_t *status, *delivered;

	(void)state;
	machine.vm.evtchn_vcpus[1].queue[0].linked = 1ull << 40;
	machine.vm.evtchn_vcpus[1].queue[15].linked = 7;
	machine.vm.evtchn_vcpus[1].queue[15].handed_over = 2;
	status = ask(fd, STATUS);
	delivered = json_object_get(status, "delivered");
	assert_int_equal(json_array_size(delivered), MACHINE_VCPUS);
	assert_int_equal(json_integer_value(json_array_get(delivered, 0)), 0);
	assert_int_equal(json_integer_value(json_array_get(delivered, 1)), (1ull << 40) + 5);
	/* No card here; tests/guest/shuffle looks at one. */
	assert_true(json_is_null(json_object_get(status, "net")));
	json_decref(status);
	close(fd);
}

static void status_tells_of_boosts(void **state)
{
	struct uc_boost *b = &machine.vm.watch.boost;
	int fd = dial();
	json_t *status, *boost;

	(void)state;
	b->count = 1ull << 40;
	b->total_ns = (3ull << 40) * 1000 + 999;
	status = ask(fd, STATUS);
	boost = json_object_get(status, "boost");
	assert_string_equal(string(boost, "when"), "follow");
	assert_true(json_is_false(json_object_get(boost, "may")));
	assert_int_equal(number(boost, "count"), 1ull << 40);
	assert_int_equal(number(boost, "total_us"), 3ull << 40);
	json_decref(status);
	b->may = true;
	status = ask(fd, STATUS);
	assert_true(json_is_true(json_object_get(json_object_get(status, "boost"), "may")));
	json_decref(status);
	close(fd);
}

static void boost_says_when(void **state)
{
	static const enum uc_boost_when whens[] = {UC_BOOST_ALWAYS, UC_BOOST_NEVER,
						   UC_BOOST_FOLLOW};
	static const char *const names[] = {"always", "never", "follow"};
	int fd = dial();
	char line[64];
	json_t *result;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(line, sizeof(line), "{\"op\":\"boost\",\"when\":\"%s\"}\n", names[i]);
		result = ask(fd, line);
		assert_string_equal(string(result, "when"), names[i]);
		assert_int_equal(json_object_size(result), 1);
		json_decref(result);
		assert_int_equal(machine.vm.watch.boost.when, whens[i]);
		result = ask(fd, STATUS);
		assert_string_equal(string(json_object_get(result, "boost"), "when"), names[i]);
		json_decref(result);
	}
	close(fd);
}

static void a_bad_when_changes_nothing(void **state)
{
	static const char *const bad[] = {"",
					  ",\"when\":\"\"",
					  ",\"when\":\"Never\"",
					  ",\"when\":\"on\"",
					  ",\"when\":\"follow \"",
					  ",\"when\":\"nev\"",
					  ",\"when\":1",
					  ",\"when\":null",
					  ",\"when\":true",
					  ",\"when\":[\"never\"]"};
	int fd = dial();
	char line[64];

	(void)state;
	machine.vm.watch.boost.when = UC_BOOST_ALWAYS;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "{\"op\":\"boost\"%s}\n", bad[i]);
		assert_refused(fd, line, "EINVAL", "when: give follow, never or always");
		assert_int_equal(machine.vm.watch.boost.when, UC_BOOST_ALWAYS);
	}
	assert_refused(fd, "{\"op\":\"boost\",\"when\":\"never\",\"port\":1}\n", "EINVAL",
		       "takes only when");
	assert_int_equal(machine.vm.watch.boost.when, UC_BOOST_ALWAYS);
	close(fd);
}

static void a_ports_row_is_the_librarys(void **state)
{
	int fd = dial();
	json_t *result = ask(fd, "{\"op\":\"ports\",\"count\":2}\n");
	json_t *ports = json_object_get(result, "ports");

	(void)state;
	assert_int_equal(json_array_size(ports), 2);
	assert_string_equal(string(json_array_get(ports, 0), "kind"), "ipi");
	assert_int_equal(number(json_array_get(ports, 0), "vcpu"), 1);
	assert_string_equal(string(json_array_get(ports, 1), "kind"), "virq");
	assert_int_equal(number(result, "next"), 3);
	json_decref(result);
	close(fd);
}

static void pages_of_ports_hold_each_once(void **state)
{
	int fd = dial();
	uint32_t next = 1, seen = 0, pages = 0;
	json_int_t last = 0;
	char request[64];

	(void)state;
	assert_int_equal(uc_close(&machine.vm.domain, 1000), 0); /* a hole */
	for (; next; pages++) {
		json_t *result, *one;
		size_t i;

		snprintf(request, sizeof(request), "{\"op\":\"ports\",\"from\":%u}\n", next);
		result = ask(fd, request);
		json_array_foreach(json_object_get(result, "ports"), i, one)
		{
			assert_true(number(one, "port") > last);
			last = number(one, "port");
			seen++;
		}
		next = (uint32_t)json_integer_value(json_object_get(result, "next"));
		json_decref(result);
	}
	assert_int_equal(seen, MANY_PORTS - 1);
	assert_int_equal(pages, 3);
	close(fd);
}

static void version_names_all_ops(void **state)
{
	int fd = dial();
	json_t *result = ask(fd, "{\"op\":\"version\"}\n"), *ops = json_object_get(result, "ops");
	size_t i = 0;

	(void)state;
	assert_int_equal(number(result, "protocol"), UC_CTL_PROTOCOL);
	for (; uc_ctl_ops[i].name; i++)
		assert_string_equal(json_string_value(json_array_get(ops, i)), uc_ctl_ops[i].name);
	assert_int_equal(json_array_size(ops), i);
	json_decref(result);
	close(fd);
}

static void quit_ends_the_machine_and_is_answered(void **state)
{
	int fd = dial();

	(void)state;
	json_decref(ask(fd, "{\"op\":\"quit\"}\n"));
	assert_int_equal(machine.vm.end, UC_VM_QUIT);
	close(fd);
}

/* ---- bad requests ---- */

static void malformed_lines_are_refused_and_the_connection_goes_on(void **state)
{
	static const char *const bad[] = {"",
					  " ",
					  "{",
					  "}",
					  "status",
					  "[]",
					  "\"status\"",
					  "{}",
					  "null",
					  "{\"op\":1}",
					  "{\"op\":null}",
					  "{\"op\":\"status\"",
					  "{\"op\":\"status\"} x",
					  "{\"op\":\"status\"}{\"op\":\"status\"}",
					  "{\"op\":\"status\",\"op\":\"quit\"}",
					  "{'op':'status'}",
					  "{\"op\":\"\xff\"}",
					  "{\"op\":\"st\\u0000atus\"}",
					  "\xef\xbb\xbf{\"op\":\"status\"}"};
	char line[128];
	int fd = dial();

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "%s\n", bad[i]);
		assert_refused(fd, line, "EINVAL", "");
	}
	assert_serves(fd);
	assert_true(is_silent(fd));
	close(fd);
}

static void a_nul_byte_is_malformed(void **state)
{
	int fd = dial();

	(void)state;
	assert_int_equal(put_bytes(fd, "{\"op\":\0\"status\"}\n", 17), 17);
	pump();
	assert_refusal(fd, "EINVAL", "malformed");
	assert_serves(fd);
	close(fd);
}

static void deep_nesting_is_refused(void **state)
{
	char line[UC_CTL_LINE_MAX];
	int fd = dial();

	(void)state;
	memset(line, '[', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	assert_int_equal(put_bytes(fd, line, sizeof(line)), sizeof(line));
	pump();
	assert_refusal(fd, "EINVAL", "malformed");
	assert_serves(fd);
	close(fd);
}

static void unknown_ops_and_arguments_are_refused_by_name(void **state)
{
	int fd = dial();

	(void)state;
	for (const struct uc_ctl_op *op = uc_ctl_ops; op->name; op++)
		assert_refused(fd, "{\"op\":\"nope\"}\n", "ENOSYS", op->name);
	assert_refused(fd, "{\"op\":\"Status\"}\n", "ENOSYS", "no such op");
	assert_refused(fd, "{\"op\":\"\"}\n", "ENOSYS", "no such op");
	assert_refused(fd, "{\"op\":\"quit\",\"now\":true}\n", "EINVAL", "takes no arguments");
	assert_refused(fd, "{\"op\":\"ports\",\"form\":1}\n", "EINVAL", "takes only from count");
	assert_int_equal(machine.vm.end, UC_VM_RUNNING);
	close(fd);
}

static void values_out_of_range_are_refused(void **state)
{
	static const char *const bad[] = {
		"0", "-1", "1.0", "\"1\"", "true", "null", "[1]", "131072", "9223372036854775807"};
	char line[128];
	int fd = dial();

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "{\"op\":\"ports\",\"from\":%s}\n", bad[i]);
		assert_refused(fd, line, "EINVAL", "from: give a whole number from 1 to");
	}
	assert_refused(fd, "{\"op\":\"ports\",\"count\":1025}\n", "EINVAL", "from 1 to 1024");
	close(fd);
}

static void any_bytes_get_one_reply_per_line(void **state)
{
	static const char alphabet[] = "{}[]\":,\\ oqpu tis-1e.\xc3\xff\x01\t";
	char line[64];
	int fd = dial();

	(void)state;
	srandom(1);
	for (int i = 0; i < 20000; i++) {
		size_t bytes = (size_t)random() % (sizeof(line) - 1);

		for (size_t j = 0; j < bytes; j++)
			line[j] = alphabet[(size_t)random() % (sizeof(alphabet) - 1)];
		line[bytes] = '\n';
		assert_int_equal(put_bytes(fd, line, bytes + 1), bytes + 1);
		pump();
		json_decref(get(fd));
	}
	assert_true(is_silent(fd));
	close(fd);
}

/* ---- lines ---- */

static void a_line_may_come_byte_by_byte(void **state)
{
	static const char request[] = STATUS;
	int fd = dial();

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(request); i++) {
		assert_int_equal(put_bytes(fd, &request[i], 1), 1);
		assert_true(is_silent(fd));
	}
	assert_serves(dial());
	put(fd, "\n");
	pump();
	json_decref(get(fd));
	close(fd);
}

static void many_lines_at_once_are_answered_in_order(void **state)
{
	char all[UC_CTL_LINE_MAX];
	size_t used = 0;
	int fd = dial();

	(void)state;
	for (int i = 1; i <= 500; i++)
		used += (size_t)sprintf(all + used, "{\"op\":\"ports\",\"from\":%d,\"count\":1}\n",
					i);
	assert_int_equal(put_bytes(fd, all, used), used);
	pump();
	for (int i = 1; i <= 500; i++) {
		json_t *reply = get(fd), *result = json_object_get(reply, "result");

		assert_int_equal(
			number(json_array_get(json_object_get(result, "ports"), 0), "port"), i);
		json_decref(reply);
	}
	assert_true(is_silent(fd));
	close(fd);
}

static void fill_with_blanks(char *line, size_t bytes)
{
	memset(line, ' ', bytes);
	memcpy(line, STATUS, sizeof(STATUS) - 2);
	line[bytes - 1] = '\n';
}

static void the_longest_line_is_answered(void **state)
{
	char line[UC_CTL_LINE_MAX];
	int fd = dial();

	(void)state;
	fill_with_blanks(line, sizeof(line));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(put_bytes(fd, line, sizeof(line)), sizeof(line));
		pump();
		json_decref(get(fd));
	}
	close(fd);
}

static void more_lines_than_the_buffer_holds_are_all_answered(void **state)
{
	char lines[150][1000];
	int fd = dial();

	(void)state;
	for (int i = 0; i < 150; i++)
		fill_with_blanks(lines[i], sizeof(lines[i]));
	assert_int_equal(put_bytes(fd, lines[0], sizeof(lines)), sizeof(lines));
	pump();
	for (int i = 0; i < 150; i++)
		json_decref(get(fd));
	assert_serves(fd);
	close(fd);
}

static void a_longer_line_is_refused_and_ends_the_connection(void **state)
{
	char line[UC_CTL_LINE_MAX + 1];
	int fd = dial();

	(void)state;
	fill_with_blanks(line, sizeof(line));
	assert_int_equal(put_bytes(fd, line, sizeof(line)), sizeof(line));
	pump();
	assert_refusal(fd, "EMSGSIZE", "65536");
	assert_true(is_closed(fd));
	close(fd);
	assert_serves(dial());
}

/* ---- clients ---- */

static void clients_that_leave_in_mid_line_leave_nothing(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 5 * UC_CTL_CLIENTS_MAX; i++) {
		int fd = dial();

		put(fd, "{\"op\":\"sta");
		if (i % 2)
			pump();
		close(fd);
		pump();
	}
	assert_serves(dial());
}

static void a_client_that_leaves_before_its_reply_is_forgotten(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 5 * UC_CTL_CLIENTS_MAX; i++) {
		int fd = dial_without_pump();

		put(fd, STATUS STATUS "{\"op\":\"ports\"}\n" STATUS);
		close(fd);
		pump();
	}
	assert_serves(dial());
}

static void what_was_asked_before_a_half_close_is_answered(void **state)
{
	int fd = dial();

	(void)state;
	put(fd, STATUS STATUS STATUS "{\"op\":");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	pump();
	for (int i = 0; i < 3; i++)
		json_decref(get(fd));
	assert_true(is_closed(fd));
	close(fd);
}

static void one_client_too_many_is_told_so(void **state)
{
	int fds[UC_CTL_CLIENTS_MAX], extra;

	(void)state;
	for (unsigned int i = 0; i < UC_CTL_CLIENTS_MAX; i++)
		fds[i] = dial();
	for (int i = 0; i < 3; i++) {
		extra = dial();
		assert_refusal(extra, "EUSERS", "too many clients");
		assert_true(is_closed(extra));
		close(extra);
	}
	for (unsigned int i = 0; i < UC_CTL_CLIENTS_MAX; i++)
		assert_serves(fds[i]);
	close(fds[5]);
	pump();
	fds[5] = dial();
	for (unsigned int i = 0; i < UC_CTL_CLIENTS_MAX; i++) {
		assert_serves(fds[i]);
		close(fds[i]);
	}
}

static void a_client_that_does_not_read_is_dropped_at_the_bound(void **state)
{
	static const char request[] = "{\"op\":\"ports\",\"count\":1024}\n";
	int slow = dial(), other = dial(), sent = 0;

	(void)state;
	while (put_bytes(slow, request, sizeof(request) - 1) > 0) {
		pump();
		assert_serves(other);
		/* Replies of 100 kB each: the bound, and what the kernel holds of a socket. */
		assert_in_range(++sent, 1, 40);
	}
	assert_int_equal(errno, EPIPE);
	assert_true(sent >= 8);
	assert_serves(other);
	close(slow);
	close(other);
}

static void a_slow_reader_below_the_bound_gets_everything(void **state)
{
	static const char request[] = "{\"op\":\"ports\",\"count\":1024}\n";
	int fd = dial();

	(void)state;
	for (int i = 0; i < 6; i++)
		put(fd, request);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	pump();
	for (int i = 0; i < 6; i++) {
		json_t *reply = get(fd);

		assert_int_equal(
			json_array_size(json_object_get(json_object_get(reply, "result"), "ports")),
			1024);
		json_decref(reply);
	}
	assert_true(is_closed(fd));
	close(fd);
}

static void a_flood_does_not_hold_up_another_client(void **state)
{
	char flood[UC_CTL_LINE_MAX];
	int greedy = dial(), other = dial(), steps = 0;
	char byte;

	(void)state;
	memset(flood, '\n', sizeof(flood)); /* 65536 malformed requests */
	assert_int_equal(put_bytes(greedy, flood, sizeof(flood)), sizeof(flood));
	for (int i = 0; i < 10; i++)
		assert_true(step());
	put(other, STATUS);
	while (recv(other, &byte, 1, 0) < 0) {
		assert_true(step());
		assert_in_range(++steps, 1, 3);
	}
	close(greedy);
	close(other);
	pump();
}

static void no_descriptors_left_turns_clients_away(void **state)
{
	struct rlimit old, few;
	int fds[64], nr_fds = 0, fd = dial_without_pump(), again;

	(void)state;
	again = socket(AF_UNIX, SOCK_STREAM, 0);
	getrlimit(RLIMIT_NOFILE, &old);
	few = (struct rlimit){.rlim_cur = 60, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while ((fds[nr_fds] = dup(0)) >= 0)
		nr_fds++;
	pump(); /* ends: the waiting connection does not wake it for ever */
	setrlimit(RLIMIT_NOFILE, &old);
	while (nr_fds)
		close(fds[--nr_fds]);
	assert_refusal(fd, "EUSERS", "too many clients");
	assert_true(is_closed(fd));
	close(fd);
	close(again);
	assert_serves(dial());
}

/* ---- the machine behind it ---- */

static void requests_wait_for_the_restarted_machine(void **state)
{
	static struct machine next;
	struct uc_control control;
	int before = dial(), busy = dial(), during;
	json_t *reply;

	(void)state;
	put(busy, "{\"op\":\"ver"); /* half a request to the first machine */
	pump();
	uc_ctl_detach(ctl);
	during = dial();
	put(before, STATUS);
	put(during, STATUS);
	assert_true(is_silent(before) && is_silent(during));
	assert_int_equal(machine_open(&next, "again", 1), 0);
	next.vm.reboots = 1;
	control = machine.control;
	machine.control = next.control; /* pump() drives the new one */
	assert_int_equal(uc_ctl_attach(ctl, &machine.control, &next.vm), 0);
	put(busy, "sion\"}\n");
	pump();
	reply = get(before);
	assert_int_equal(number(json_object_get(reply, "result"), "reboots"), 1);
	json_decref(reply);
	json_decref(get(during));
	json_decref(get(busy));
	uc_ctl_detach(ctl);
	machine.control = control;
	machine_close(&next);
	close(before), close(busy), close(during);
}

static void lines_left_over_are_answered_after_a_restart(void **state)
{
	int fd = dial();

	(void)state;
	put(fd, STATUS STATUS STATUS);
	assert_true(step()); /* reads all, answers one */
	uc_ctl_detach(ctl);
	json_decref(get(fd));
	assert_true(is_silent(fd));
	assert_int_equal(uc_ctl_attach(ctl, &machine.control, &machine.vm), 0);
	pump();
	json_decref(get(fd));
	json_decref(get(fd));
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(status_tells_what_the_machine_is),
		TEST(status_tells_what_was_left_with_each_vcpu),
		TEST(status_tells_of_boosts),
		TEST(boost_says_when),
		TEST(a_bad_when_changes_nothing),
		TEST(a_ports_row_is_the_librarys),
		TEST(pages_of_ports_hold_each_once),
		TEST(version_names_all_ops),
		TEST(quit_ends_the_machine_and_is_answered),
		TEST(malformed_lines_are_refused_and_the_connection_goes_on),
		TEST(a_nul_byte_is_malformed),
		TEST(deep_nesting_is_refused),
		TEST(unknown_ops_and_arguments_are_refused_by_name),
		TEST(values_out_of_range_are_refused),
		TEST(any_bytes_get_one_reply_per_line),
		TEST(a_line_may_come_byte_by_byte),
		TEST(many_lines_at_once_are_answered_in_order),
		TEST(the_longest_line_is_answered),
		TEST(more_lines_than_the_buffer_holds_are_all_answered),
		TEST(a_longer_line_is_refused_and_ends_the_connection),
		TEST(clients_that_leave_in_mid_line_leave_nothing),
		TEST(a_client_that_leaves_before_its_reply_is_forgotten),
		TEST(what_was_asked_before_a_half_close_is_answered),
		TEST(one_client_too_many_is_told_so),
		TEST(a_client_that_does_not_read_is_dropped_at_the_bound),
		TEST(a_slow_reader_below_the_bound_gets_everything),
		TEST(a_flood_does_not_hold_up_another_client),
		TEST(no_descriptors_left_turns_clients_away),
		TEST(requests_wait_for_the_restarted_machine),
		TEST(lines_left_over_are_answered_after_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
