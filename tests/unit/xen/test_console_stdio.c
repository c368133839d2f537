/* SPDX-License-Identifier: MIT */
/* The console on stdin and stdout: pipes, files, a terminal, the escape key, restoring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "vmm/dev/console_stdio.h"
#include "vmm/dev/console_tty.h"

struct fixture {
	struct xencons_interface *page;
	struct uc_console_stdio s;
	unsigned notified;
	int in[2], out[2]; /* pipes: the test's ends are in[1] and out[0] */
};

static void on_notify(void *ctx)
{
	((struct fixture *)ctx)->notified++;
}

static const struct uc_console_stdio_ops ops = {.notify = on_notify};

static int setup_bare(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->page = malloc(sizeof(*f->page));
	f->in[0] = f->in[1] = f->out[0] = f->out[1] = -1;
	*state = f;
	return 0;
}

static void open_on(struct fixture *f, int in, int out)
{
	assert_int_equal(uc_console_stdio_open(&f->s, f->page, in, out, &ops, f), 0);
}

static int setup_pipes(void **state)
{
	struct fixture *f;

	setup_bare(state);
	f = *state;
	if (pipe(f->in) || pipe(f->out))
		return -1;
	open_on(f, f->in[0], f->out[1]);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	uc_console_stdio_close(&f->s);
	for (int i = 0; i < 2; i++) {
		if (f->in[i] >= 0)
			close(f->in[i]);
		if (f->out[i] >= 0)
			close(f->out[i]);
	}
	free(f->page);
	free(f);
	return 0;
}

static size_t guest_read(struct fixture *f, char *buf, size_t len)
{
	uint32_t prod = f->page->in_prod, cons = f->page->in_cons;
	size_t n = 0;

	for (; n < len && cons != prod; n++)
		buf[n] = f->page->in[MASK_XENCONS_IDX(cons++, f->page->in)];
	f->page->in_cons = cons;
	return n;
}

static void guest_write(struct fixture *f, const char *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		f->page->out[MASK_XENCONS_IDX(f->page->out_prod + i, f->page->out)] = buf[i];
	f->page->out_prod += (uint32_t)len;
	uc_console_on_kick(&f->s);
}

static void assert_guest_reads(struct fixture *f, const char *want, size_t len)
{
	char got[64];

	assert_int_equal(guest_read(f, got, sizeof(got)), len);
	assert_memory_equal(got, want, len);
}

static bool epoll_says_readable(int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	int ep = epoll_create1(0), n;

	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event), 0);
	n = epoll_wait(ep, &event, 1, 0);
	close(ep);
	return n == 1;
}

static void bytes_pass_both_ways(void **state)
{
	struct fixture *f = *state;
	char got[8];

	assert_false(epoll_says_readable(uc_console_stdio_in_fd(&f->s)));
	assert_int_equal(write(f->in[1], "ls\r", 3), 3);
	assert_true(epoll_says_readable(uc_console_stdio_in_fd(&f->s)));
	assert_false(uc_console_on_stdin_readable(&f->s));
	assert_int_equal(f->notified, 1);
	assert_guest_reads(f, "ls\r", 3);
	guest_write(f, "files\r\n", 7);
	assert_int_equal(read(f->out[0], got, sizeof(got)), 7);
	assert_memory_equal(got, "files\r\n", 7);
	assert_false(uc_console_want_stdout(&f->s));
}

static void a_pipe_has_no_escape_key(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(write(f->in[1], "\1x\1\1", 4), 4);
	assert_false(uc_console_on_stdin_readable(&f->s));
	assert_guest_reads(f, "\1x\1\1", 4);
}

static void stdin_is_not_read_while_the_guest_has_no_room(void **state)
{
	struct fixture *f = *state;
	char *bytes = malloc(1 << 20), *got = malloc(1 << 20);
	size_t written = 0, read_back = 0;

	for (size_t i = 0; i < 1 << 20; i++)
		bytes[i] = (char)(i % 251 ^ i / 4093);
	assert_int_equal(fcntl(f->in[1], F_SETFL, O_NONBLOCK), 0);
	while (read_back < 1 << 20) {
		ssize_t n = write(f->in[1], bytes + written, (1 << 20) - written);

		written += n > 0 ? (size_t)n : 0;
		while (uc_console_want_stdin(&f->s) &&
		       epoll_says_readable(uc_console_stdio_in_fd(&f->s)))
			assert_false(uc_console_on_stdin_readable(&f->s));
		assert_in_range(f->s.kept, 0, 2 * UC_CONSOLE_INPUT_MAX);
		read_back += guest_read(f, got + read_back, 700);
		uc_console_on_kick(&f->s);
	}
	assert_memory_equal(got, bytes, 1 << 20);
	free(bytes);
	free(got);
}

static void the_end_of_stdin_stops_reading_only(void **state)
{
	struct fixture *f = *state;
	char got[8];

	assert_int_equal(write(f->in[1], "last", 4), 4);
	close(f->in[1]);
	f->in[1] = -1;
	assert_false(uc_console_on_stdin_readable(&f->s));
	assert_true(uc_console_want_stdin(&f->s));
	assert_false(uc_console_on_stdin_readable(&f->s));
	assert_false(uc_console_want_stdin(&f->s));
	assert_guest_reads(f, "last", 4);
	guest_write(f, "alive", 5);
	assert_int_equal(read(f->out[0], got, sizeof(got)), 5);
}

static void a_full_stdout_blocks_nobody_and_loses_nothing(void **state)
{
	struct fixture *f = *state;
	char chunk[1000], got[4096];
	size_t in_pipe = 0, total = 0;
	ssize_t n;

	while (!uc_console_want_stdout(&f->s)) {
		memset(chunk, 'a' + (int)(total / 1000 % 26), sizeof(chunk));
		guest_write(f, chunk, sizeof(chunk));
		total += sizeof(chunk);
		assert_in_range(total, 0, 1 << 20);
	}
	while (in_pipe < total) {
		n = read(f->out[0], got, sizeof(got));
		assert_in_range(n, 1, sizeof(got));
		for (ssize_t i = 0; i < n; i++, in_pipe++)
			assert_int_equal(got[i], 'a' + (int)(in_pipe / 1000 % 26));
		uc_console_on_stdout_writable(&f->s);
	}
	assert_false(uc_console_want_stdout(&f->s));
	/* The writer's end that we share with others was not made non-blocking. */
	assert_false(fcntl(f->out[1], F_GETFL) & O_NONBLOCK);
}

static void a_reader_that_went_away_does_not_stop_the_guest(void **state)
{
	struct fixture *f = *state;

	signal(SIGPIPE, SIG_IGN); /* as the VMM does at start */
	close(f->out[0]);
	f->out[0] = -1;
	for (unsigned i = 0; i < 10; i++)
		guest_write(f, "to nobody", 9);
	assert_int_equal(f->page->out_cons, 90);
	assert_false(uc_console_want_stdout(&f->s));
}

static void files_and_dev_null_are_always_ready(void **state)
{
	struct fixture *f = *state;
	char name[] = "/tmp/uc-console-XXXXXX", got[16];
	int file = mkstemp(name), null = open("/dev/null", O_RDONLY);

	unlink(name);
	assert_int_equal(write(file, "before ", 7), 7);
	open_on(f, null, file);
	assert_true(epoll_says_readable(uc_console_stdio_in_fd(&f->s)));
	assert_false(uc_console_on_stdin_readable(&f->s));
	assert_false(uc_console_want_stdin(&f->s));
	guest_write(f, "after", 5); /* at the shared offset, as `>>` and `> f` expect */
	assert_int_equal(pread(file, got, sizeof(got), 0), 12);
	assert_memory_equal(got, "before after", 12);
	close(file);
	close(null);
}

static void sockets_work_without_blocking(void **state)
{
	struct fixture *f = *state;
	int pair[2];
	char got[8];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	open_on(f, pair[0], pair[0]);
	assert_false(uc_console_on_stdin_readable(&f->s)); /* nothing there: returns */
	assert_true(uc_console_want_stdin(&f->s));
	assert_int_equal(write(pair[1], "in", 2), 2);
	assert_false(uc_console_on_stdin_readable(&f->s));
	assert_guest_reads(f, "in", 2);
	guest_write(f, "out", 3);
	assert_int_equal(read(pair[1], got, sizeof(got)), 3);
	close(pair[0]);
	close(pair[1]);
}

static void a_closed_descriptor_is_an_error(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(uc_console_stdio_open(&f->s, f->page, 999, 1, &ops, f), -EBADF);
	assert_int_equal(uc_console_stdio_open(&f->s, f->page, 1, 999, &ops, f), -EBADF);
}

struct terminal {
	int master, slave;
	struct termios before;
};

static void terminal_open(struct terminal *t)
{
	assert_int_equal(openpty(&t->master, &t->slave, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(t->slave, &t->before), 0);
	assert_true(t->before.c_lflag & ICANON);
}

static void assert_raw(const struct terminal *t, bool raw)
{
	struct termios now;

	assert_int_equal(tcgetattr(t->slave, &now), 0);
	assert_int_equal(!(now.c_lflag & ICANON), raw);
	assert_int_equal(!(now.c_lflag & ECHO), raw);
	assert_int_equal(!(now.c_lflag & ISIG), raw);
	if (!raw)
		assert_int_equal(now.c_iflag, t->before.c_iflag);
}

static void terminal_close(struct terminal *t)
{
	close(t->master);
	close(t->slave);
}

/* Type, and wait until the other side has it. */
static bool type(struct fixture *f, struct terminal *t, const char *keys, size_t len)
{
	struct pollfd ready = {.fd = uc_console_stdio_in_fd(&f->s), .events = POLLIN};

	assert_int_equal(write(t->master, keys, len), len);
	assert_int_equal(poll(&ready, 1, 1000), 1);
	return uc_console_on_stdin_readable(&f->s);
}

static void a_terminal_is_raw_until_closed(void **state)
{
	struct fixture *f = *state;
	struct terminal t;

	terminal_open(&t);
	open_on(f, t.slave, t.slave);
	assert_raw(&t, true);
	assert_false(fcntl(t.slave, F_GETFL) & O_NONBLOCK);
	assert_false(type(f, &t, "\3\4\r", 3)); /* Ctrl-C and Ctrl-D are the guest's */
	assert_guest_reads(f, "\3\4\r", 3);
	uc_console_stdio_close(&f->s);
	assert_raw(&t, false);
	terminal_close(&t);
}

static void the_escape_key_ends_the_vmm(void **state)
{
	struct fixture *f = *state;
	struct terminal t;

	terminal_open(&t);
	open_on(f, t.slave, t.slave);
	assert_false(type(f, &t, "a\1\1b", 4));
	assert_guest_reads(f, "a\1b", 3);
	assert_false(type(f, &t, "\1c", 2));
	assert_guest_reads(f, "\1c", 2);
	assert_false(type(f, &t, "x\1", 2)); /* split between two reads */
	assert_guest_reads(f, "x", 1);
	assert_true(type(f, &t, "x", 1));
	uc_console_stdio_close(&f->s);
	terminal_close(&t);
}

/* The state of the terminal after a child that had it raw ended in `way`. */
static void after_child(struct terminal *t, void (*way)(void), int *status)
{
	pid_t pid = fork();

	if (!pid) {
		for (int sig = 1; sig < 32; sig++)
			signal(sig, SIG_DFL); /* cmocka and sanitizers catch some */
		if (uc_console_tty_raw(t->slave))
			_exit(99);
		way();
		_exit(98);
	}
	assert_int_equal(waitpid(pid, status, 0), pid);
	assert_false(WIFEXITED(*status) && WEXITSTATUS(*status) >= 98);
}

static void way_exit(void)
{
	exit(3);
}

static void way_sigterm(void)
{
	raise(SIGTERM);
}

static void way_sigsegv(void)
{
	raise(SIGSEGV);
}

static void way_abort(void)
{
	abort();
}

static void a_terminal_is_restored_however_the_process_ends(void **state)
{
	struct terminal t;
	int status;
	(void)state;

	terminal_open(&t);
	after_child(&t, way_exit, &status);
	assert_int_equal(WEXITSTATUS(status), 3);
	assert_raw(&t, false);
	after_child(&t, way_sigterm, &status);
	assert_int_equal(WTERMSIG(status), SIGTERM);
	assert_raw(&t, false);
	after_child(&t, way_sigsegv, &status);
	assert_int_equal(WTERMSIG(status), SIGSEGV);
	assert_raw(&t, false);
	after_child(&t, way_abort, &status);
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_raw(&t, false);
	terminal_close(&t);
}

#define T(name, setup) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(bytes_pass_both_ways, setup_pipes),
		T(a_pipe_has_no_escape_key, setup_pipes),
		T(stdin_is_not_read_while_the_guest_has_no_room, setup_pipes),
		T(the_end_of_stdin_stops_reading_only, setup_pipes),
		T(a_full_stdout_blocks_nobody_and_loses_nothing, setup_pipes),
		T(a_reader_that_went_away_does_not_stop_the_guest, setup_pipes),
		T(files_and_dev_null_are_always_ready, setup_bare),
		T(sockets_work_without_blocking, setup_bare),
		T(a_closed_descriptor_is_an_error, setup_bare),
		T(a_terminal_is_raw_until_closed, setup_bare),
		T(the_escape_key_ends_the_vmm, setup_bare),
		cmocka_unit_test(a_terminal_is_restored_however_the_process_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
