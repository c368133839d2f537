/* SPDX-License-Identifier: MIT */
/*
 * One run of the lab, from the host's side: starts the machine, hands over the job, joins the
 * streams, and decides how it ended. Called by cli/lab.c.
 *
 * The main thread supervises (messages, signals, the console, QEMU's end) and never blocks on a
 * stream. Three threads move bytes with blocking calls: one sends the job and then stdin, one each
 * brings stdout and stderr. They need no cancelling: the process ends soon after the run.
 *
 * It keeps true: the status is returned only when every byte of output that the command wrote has
 * been written out, and no way out of here leaves a machine running or a terminal raw.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lab/console.h"
#include "lab/initramfs.h"
#include "lab/job.h"
#include "lab/lab.h"
#include "lab/machine.h"
#include "lab/qemu.h"
#include "lab/terminal.h"
#include "lab/wire.h"

/* The machine is up in 3 s; a loaded host with 1 of 10 of its CPU to spare still makes it. */
#define BOOT_TIMEOUT_S 90
/* How long a kernel that died may take to print the rest of its report. */
#define LAST_WORDS_MS 2000

struct output {
	int from, to;
	enum uc_lab_port port;
	atomic_uint_least64_t bytes;
};

/* Static, because its threads may still be blocked in a read when the run is over. */
static struct session {
	struct uc_lab_qemu qemu;
	struct uc_lab_machine machine;
	struct uc_lab_files files;
	struct uc_terminal terminal;
	struct uc_console console;
	struct output out, err;
	pthread_mutex_t ctl_lock;
	int kick; /* eventfd: some bytes of output are done, or sending failed */
	atomic_int send_error;
	bool up, exited, gone;	/* the last: QEMU ended by itself */
	int how;		/* waitpid(2)'s status of QEMU, once it is gone */
	struct uc_lab_msg exit; /* once exited */
	char complaint[256];	/* QEMU's first line */
	char fail[UC_LAB_PAYLOAD_MAX + 1];
	int signal; /* what ended the run, or 0 */
} session = {.ctl_lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the threads ---- */

/* Under ctl_lock. */
static void send_msg(struct session *s, uint32_t type, uint64_t arg0, uint64_t arg1)
{
	struct uc_lab_msg msg = {.type = type, .arg = {arg0, arg1}};

	uc_wire_send(s->machine.port[UC_LAB_CTL], &msg, NULL);
}

static struct winsize window(void)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};

	ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
	return size;
}

static void tell(struct session *s, uint32_t type, uint64_t arg0, uint64_t arg1)
{
	pthread_mutex_lock(&s->ctl_lock);
	send_msg(s, type, arg0, arg1);
	pthread_mutex_unlock(&s->ctl_lock);
}

static void relay_stdin(struct session *s)
{
	static char buf[64 << 10];
	uint64_t bytes = 0;
	ssize_t n;

	for (;;) {
		n = read(STDIN_FILENO, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || uc_wire_write(s->machine.port[UC_LAB_STDIN], buf, (size_t)n))
			break;
		bytes += (uint64_t)n;
	}
	tell(s, UC_LAB_MSG_STDIN_END, bytes, 0);
}

static void *feed(void *arg)
{
	struct session *s = arg;
	struct winsize size = window();
	int rc;

	pthread_mutex_lock(&s->ctl_lock);
	rc = uc_lab_job_send(s->machine.port[UC_LAB_CTL], &s->files,
			     s->terminal.raw ? &size : NULL);
	pthread_mutex_unlock(&s->ctl_lock);
	if (rc) {
		atomic_store(&s->send_error, rc);
		eventfd_write(s->kick, 1);
		return NULL;
	}
	relay_stdin(s);
	return NULL;
}

/* When nobody reads our output any more, the command is told (it gets SIGPIPE, as it would here)
 * and the rest is counted but dropped. */
static void *relay_output(void *arg)
{
	struct output *o = arg;
	char buf[64 << 10];
	bool closed = false;
	ssize_t n;

	while ((n = read(o->from, buf, sizeof(buf))) > 0) {
		if (!closed && uc_wire_write(o->to, buf, (size_t)n)) {
			closed = true;
			tell(&session, UC_LAB_MSG_CLOSED, o->port, 0);
		}
		atomic_fetch_add(&o->bytes, (uint64_t)n);
		eventfd_write(session.kick, 1);
	}
	return NULL;
}

static int start_threads(struct session *s)
{
	struct output *outputs[] = {&s->out, &s->err};
	pthread_t thread;

	s->out.to = STDOUT_FILENO, s->out.port = UC_LAB_STDOUT;
	s->err.to = STDERR_FILENO, s->err.port = UC_LAB_STDERR;
	for (int i = 0; i < 2; i++) {
		outputs[i]->from = s->machine.port[outputs[i]->port];
		if (pthread_create(&thread, NULL, relay_output, outputs[i]))
			return -EAGAIN;
		pthread_detach(thread);
	}
	if (pthread_create(&thread, NULL, feed, s))
		return -EAGAIN;
	pthread_detach(thread);
	return 0;
}

/* ---- the supervisor ---- */

static bool complete(struct session *s)
{
	return s->exited && atomic_load(&s->out.bytes) >= s->exit.arg[1] &&
	       atomic_load(&s->err.bytes) >= s->exit.arg[2];
}

static void take_message(struct session *s)
{
	struct uc_lab_msg msg;

	if (uc_wire_recv(s->machine.port[UC_LAB_CTL], &msg, s->fail))
		return;
	if (msg.type == UC_LAB_MSG_HELLO)
		s->up = true;
	if (msg.type == UC_LAB_MSG_EXIT) {
		s->exit = msg;
		s->exited = true;
	}
	if (msg.type != UC_LAB_MSG_FAIL)
		s->fail[0] = '\0';
}

/* The supervisor may not wait for the lock: its holder may be sending files for a while. A size
 * that changes just then is lost until it changes again. */
static void try_winsize(struct session *s)
{
	struct winsize size = window();

	if (!s->terminal.raw || pthread_mutex_trylock(&s->ctl_lock))
		return;
	if (s->up)
		send_msg(s, UC_LAB_MSG_WINSIZE, size.ws_row, size.ws_col);
	pthread_mutex_unlock(&s->ctl_lock);
}

static void take_signal(struct session *s)
{
	struct signalfd_siginfo info;

	if (read(s->terminal.signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGWINCH)
		try_winsize(s);
	else
		s->signal = (int)info.ssi_signo;
}

/* False at its end. */
static bool take_console(struct session *s)
{
	char buf[4096];
	ssize_t n = read(s->machine.console, buf, sizeof(buf));

	if (n > 0)
		uc_console_feed(&s->console, buf, (size_t)n);
	return n > 0;
}

static void take_complaint(struct session *s)
{
	size_t have = strlen(s->complaint), room = sizeof(s->complaint) - 1 - have;
	char rest[512];
	ssize_t n = read(s->machine.complaints, rest, sizeof(rest));

	if (n > 0)
		memcpy(s->complaint + have, rest, (size_t)n < room ? (size_t)n : room);
}

static void drop_count(int eventfd)
{
	eventfd_t count;

	eventfd_read(eventfd, &count);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

enum { CTL, SIGNALS, CONSOLE, COMPLAINTS, KICK, QEMU, NR_EVENTS };

static void dispatch(struct session *s, struct pollfd *events)
{
	if (events[CTL].revents & POLLIN)
		take_message(s);
	if (events[SIGNALS].revents)
		take_signal(s);
	if (events[CONSOLE].revents && !take_console(s))
		events[CONSOLE].fd = -1;
	if (events[COMPLAINTS].revents & POLLIN)
		take_complaint(s);
	else if (events[COMPLAINTS].revents)
		events[COMPLAINTS].fd = -1;
	if (events[KICK].revents)
		drop_count(s->kick);
}

/* Why the job could not be sent; not that QEMU is gone, which its pidfd tells too. */
static int send_error(const struct session *s)
{
	int rc = atomic_load(&s->send_error);

	return rc == -EPIPE ? 0 : rc;
}

static bool over(const struct session *s)
{
	return s->signal || s->fail[0] || s->console.fatal[0] || send_error(s);
}

/* Until the run is over, one way or another, or QEMU is gone, or `deadline_ms` has passed. */
static void supervise(struct session *s)
{
	struct pollfd events[NR_EVENTS] = {
		[CTL] = {s->machine.port[UC_LAB_CTL], POLLIN},
		[SIGNALS] = {s->terminal.signals, POLLIN},
		[CONSOLE] = {s->machine.console, POLLIN},
		[COMPLAINTS] = {s->machine.complaints, POLLIN},
		[KICK] = {s->kick, POLLIN},
		[QEMU] = {s->machine.pidfd, POLLIN},
	};
	int64_t deadline_ms = now_ms() + BOOT_TIMEOUT_S * 1000;

	while (!complete(s) && !over(s) && !events[QEMU].revents) {
		if (!s->up && now_ms() > deadline_ms)
			return;
		poll(events, NR_EVENTS, s->up ? -1 : 1000);
		dispatch(s, events);
		s->gone = events[QEMU].revents;
	}
}

/* What a dying kernel still has to say: into the log, for whoever looks for the reason. */
static void hear_last_words(struct session *s)
{
	struct pollfd console = {s->machine.console, POLLIN, 0};
	int64_t deadline_ms = now_ms() + LAST_WORDS_MS;
	int64_t left_ms = LAST_WORDS_MS;

	while (left_ms > 0 && poll(&console, 1, (int)left_ms) > 0 && take_console(s))
		left_ms = deadline_ms - now_ms();
}

/* ---- how it ended ---- */

/* A machine that resets itself ends QEMU with status 0, because of -no-reboot. */
static void describe_end(const struct session *s, char *text, size_t size)
{
	if (WIFSIGNALED(s->how))
		snprintf(text, size, "QEMU was ended by signal %d", WTERMSIG(s->how));
	else if (WEXITSTATUS(s->how))
		snprintf(text, size, "QEMU ended with status %d", WEXITSTATUS(s->how));
	else
		snprintf(text, size, "it was reset (a triple fault?)");
}

static int judge_machine(struct session *s, struct uc_diag *diag)
{
	char end[64];

	describe_end(s, end, sizeof(end));
	s->complaint[strcspn(s->complaint, "\n")] = '\0';
	if (s->console.fatal[0])
		return uc_fail(diag, UC_EXIT_LAB_HOST, EIO,
			       "the lab's own kernel died, try again: %s", s->console.fatal);
	if (!s->up && !s->console.last[0] && s->gone)
		return uc_fail(diag, UC_EXIT_LAB_TOOL, EIO, "the lab does not start: %s",
			       s->complaint[0] ? s->complaint : end);
	if (!s->up)
		return uc_fail(diag, UC_EXIT_LAB_HOST, ETIMEDOUT,
			       "the lab did not come up within %d s, try again: %s", BOOT_TIMEOUT_S,
			       s->console.last);
	return uc_fail(diag, UC_EXIT_LAB_HOST, EIO, "the lab's machine is gone, try again: %s; %s",
		       end, s->complaint[0] ? s->complaint : s->console.last);
}

static int judge(struct session *s, int *status, struct uc_diag *diag)
{
	int error = send_error(s);

	if (complete(s)) {
		*status = (int)s->exit.arg[0];
		return 0;
	}
	if (s->signal) {
		*status = 128 + s->signal;
		return 0;
	}
	if (s->fail[0])
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL, "%s", s->fail);
	if (error)
		return uc_fail(diag, UC_EXIT_USAGE, -error,
			       "cannot carry the files into the lab: %s", strerror(-error));
	return judge_machine(s, diag);
}

static int run_machine(struct session *s, int *status, struct uc_diag *diag)
{
	int rc;

	uc_terminal_raw(&s->terminal);
	rc = start_threads(s);
	if (rc)
		uc_fail(diag, UC_EXIT_INTERNAL, -rc, "cannot start the lab's threads: %s",
			strerror(-rc));
	else
		supervise(s);
	if (!complete(s) && !s->signal) {
		hear_last_words(s);
		take_complaint(s);
	}
	s->how = uc_lab_machine_kill(&s->machine);
	return rc ? rc : judge(s, status, diag);
}

static int open_log(struct session *s, const char *path, struct uc_diag *diag)
{
	if (!path)
		return 0;
	s->console.log = fopen(path, "we");
	if (!s->console.log)
		return uc_fail(diag, UC_EXIT_USAGE, errno, "--keep-log %s: %s", path,
			       strerror(errno));
	return 0;
}

/* A closed standard descriptor would be given to the next file opened, and then relayed. */
static void fill_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
}

/* Before the downloads, which would be for nothing. */
static int require_tools(struct session *s, struct uc_diag *diag)
{
	char path[PATH_MAX];

	if (uc_lab_qemu_find(&s->qemu))
		return uc_fail(diag, UC_EXIT_LAB_TOOL, ENOENT,
			       "the lab needs qemu-system-x86_64; install it: "
			       "apt-get install qemu-system-x86");
	if (uc_lab_busybox(path))
		return uc_fail(diag, UC_EXIT_LAB_TOOL, ENOENT,
			       "the lab needs busybox; install it: apt-get install busybox-static");
	return 0;
}

/* Any QEMU is good for one CPU; for more, one that is not the repaired one gets a warning. */
static void choose_qemu(struct session *s, struct uc_lab_config *config)
{
	struct uc_diag why_not = {0};
	char line[sizeof(why_not.text) + 128];

	if (!config->cpus)
		config->cpus = 1;
	if (config->cpus == 1)
		return;
	uc_lab_qemu_improve(&s->qemu, &why_not);
	if (!s->qemu.one_cpu || !config->notice)
		return;
	snprintf(line, sizeof(line), "QEMU %s is unreliable with more than one CPU%s%s",
		 s->qemu.version, why_not.text[0] ? ", and " : "", why_not.text);
	config->notice(line);
}

static int prepare(struct session *s, struct uc_lab_config *config, const struct uc_lab_job *job,
		   struct uc_diag *diag)
{
	int rc = uc_lab_files_open(&s->files, job, diag);

	if (!rc)
		rc = require_tools(s, diag);
	if (!rc)
		rc = uc_lab_fetch(UC_LAB_KERNEL, diag);
	if (!rc)
		rc = open_log(s, config->log_path, diag);
	if (!rc)
		choose_qemu(s, config);
	return rc;
}

int uc_lab_run(const struct uc_lab_config *wanted, const struct uc_lab_job *job, int *status,
	       struct uc_diag *diag)
{
	struct uc_lab_config config = *wanted;
	struct session *s = &session;
	int rc, initramfs;

	fill_standard_fds();
	rc = prepare(s, &config, job, diag);
	if (rc)
		return rc;
	initramfs = uc_lab_initramfs(diag);
	if (initramfs < 0)
		return initramfs;
	s->kick = eventfd(0, EFD_CLOEXEC);
	rc = uc_terminal_take(&s->terminal);
	if (rc)
		return rc;
	rc = uc_lab_machine_start(&s->machine, &s->qemu, &config, initramfs, diag);
	if (!rc)
		rc = run_machine(s, status, diag);
	uc_terminal_restore(&s->terminal);
	close(initramfs);
	if (s->console.log)
		fclose(s->console.log);
	return rc;
}
