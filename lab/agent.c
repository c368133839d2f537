/* SPDX-License-Identifier: MIT */
/*
 * The first process of the lab's machine. It mounts the pseudo file systems, loads KVM, receives
 * the job (wire.h), runs it, joins its stdin, stdout and stderr to the host's, and reports its
 * status. The host then kills the machine; the agent never shuts it down itself, because output
 * may still be on its way through the emulator.
 *
 * It keeps true: everything that the command and its descendants wrote is counted in the EXIT
 * message. When the command ends, what it left running is killed, so every pipe reaches its end.
 *
 * Linked statically and carried inside the upcall binary (agent_blob.S).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/wire.h"

#define WORDS_MAX 4096

struct stream {
	pthread_t thread;
	int from, to;
	uint64_t bytes;
	atomic_bool unread; /* the host closed its side: the command is to get SIGPIPE */
};

static struct {
	int port[UC_LAB_STDERR + 1];
	char *argv[WORDS_MAX + 1];
	int argc;
	bool tty;
	struct winsize size;
	pid_t child;
	int tty_fd; /* pty master, or -1 */
	struct stream out, err;
	pthread_t in_thread;
	pthread_mutex_t in_lock;
	int in_to; /* the command's stdin; -1 once closed */
	uint64_t in_bytes, in_total;
} lab = {
	.tty_fd = -1,
	.in_to = -1,
	.in_total = UINT64_MAX,
	.in_lock = PTHREAD_MUTEX_INITIALIZER,
};

static char payload[UC_LAB_PAYLOAD_MAX + 1];

/* ---- the machine ---- */

static void mount_all(void)
{
	mkdir("/proc", 0755), mkdir("/sys", 0755), mkdir("/dev", 0755);
	mkdir("/tmp", 01777), mkdir("/root", 0700), mkdir("/run", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mkdir("/dev/pts", 0755), mkdir("/dev/shm", 01777);
	mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=0666");
	mount("tmpfs", "/dev/shm", "tmpfs", 0, NULL);
	if (symlink("/proc/self/fd", "/dev/fd") || symlink("/proc/self/fd/0", "/dev/stdin") ||
	    symlink("/proc/self/fd/1", "/dev/stdout") || symlink("/proc/self/fd/2", "/dev/stderr"))
		perror("lab agent: /dev links");
}

/* In name order: the archive numbers them, see initramfs.c. Complaints go to the kernel console. */
static void load_modules(void)
{
	struct dirent **list;
	int count = scandir("/lab/modules", &list, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		char path[512];
		int fd;

		if (list[i]->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/lab/modules/%s", list[i]->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (syscall(SYS_finit_module, fd, "", 0))
			fprintf(stderr, "lab agent: %s: %m\n", path);
		close(fd);
	}
}

static void set_rtc(unsigned char reg, unsigned char value)
{
	outb(reg, 0x70);
	outb(value, 0x71);
}

/*
 * With the clock that counts instructions, QEMU lets each CPU run for its part of the time until
 * the next timer of the machine's, whatever happens meanwhile: an event for another CPU then waits
 * for up to milliseconds. So the machine gets a timer that expires 8192 times a second: the
 * periodic interrupt of its clock chip, which has no driver (machine.c) and is masked, so it costs
 * the machine nothing.
 */
static void shorten_turns(void)
{
	if (!getenv("lab_short_turns"))
		return;
	if (ioperm(0x70, 2, 1)) {
		fprintf(stderr, "lab agent: no access to the clock chip: %m\n");
		return;
	}
	set_rtc(0x0a, 0x23); /* 32768 Hz, every 4th */
	set_rtc(0x0b, 0x42); /* the periodic interrupt; 24 hours, BCD */
}

/* A port's node appears when the driver has heard of it, a moment after boot. */
static int open_port(int nr)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/vport0p%d", nr);
	for (int try = 0; try < 10000; try++) {
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		usleep(1000);
	}
	return -1;
}

/* ---- the job ---- */

static void __attribute__((format(printf, 1, 2), noreturn)) give_up(const char *fmt, ...)
{
	char text[512];
	struct uc_lab_msg msg = {.type = UC_LAB_MSG_FAIL};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	msg.len = (uint32_t)strlen(text) + 1;
	uc_wire_send(lab.port[UC_LAB_CTL], &msg, text);
	for (;;)
		pause();
}

static void copy_path(char *to, const char *path)
{
	size_t len = strlen(path);

	if (len >= PATH_MAX)
		give_up("a path of %zu bytes is too long", len);
	memcpy(to, path, len + 1);
}

static void make_dirs(const char *path)
{
	char copy[PATH_MAX];

	copy_path(copy, path);
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(copy, 0755);
		*slash = '/';
	}
	mkdir(copy, 0755);
}

static int create_file(const char *path, mode_t mode)
{
	char copy[PATH_MAX];
	int fd;

	copy_path(copy, path);
	make_dirs(dirname(copy));
	unlink(path); /* a file that the lab has under the same name, or the same file named twice
		       */
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		give_up("cannot create %s in the lab: %m", path);
	fchmod(fd, mode);
	return fd;
}

static void set_cwd(const char *path)
{
	make_dirs(path);
	if (chdir(path))
		give_up("cannot enter %s in the lab: %m", path);
}

static void receive_job(void)
{
	struct uc_lab_msg msg;
	int fd = -1;

	do {
		if (uc_wire_recv(lab.port[UC_LAB_CTL], &msg, payload))
			give_up("the job did not arrive whole");
		if (msg.type == UC_LAB_MSG_CWD)
			set_cwd(payload);
		else if (msg.type == UC_LAB_MSG_ENV)
			putenv(strdup(payload));
		else if (msg.type == UC_LAB_MSG_ARG && lab.argc < WORDS_MAX)
			lab.argv[lab.argc++] = strdup(payload);
		else if (msg.type == UC_LAB_MSG_FILE) {
			if (fd >= 0)
				close(fd);
			fd = create_file(payload, (mode_t)msg.arg[0]);
		} else if (msg.type == UC_LAB_MSG_CHUNK && uc_wire_write(fd, payload, msg.len))
			give_up("the lab has no room for the files; give it more --memory");
	} while (msg.type != UC_LAB_MSG_START);
	if (fd >= 0)
		close(fd);
	lab.tty = msg.arg[0];
	lab.size.ws_row = (unsigned short)msg.arg[1];
	lab.size.ws_col = (unsigned short)msg.arg[2];
}

static void __attribute__((noreturn)) exec_job(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execvp(lab.argv[0], lab.argv);
	fprintf(stderr, "upcall lab: cannot run %s in the lab: %m\n", lab.argv[0]);
	_exit(errno == ENOENT ? 127 : 126);
}

static void start_on_tty(void)
{
	lab.child = forkpty(&lab.tty_fd, NULL, NULL, &lab.size);
	if (lab.child < 0)
		give_up("no terminal in the lab: %m");
	if (!lab.child)
		exec_job();
	lab.in_to = dup(lab.tty_fd);
	lab.out.from = lab.tty_fd;
	lab.err.from = -1;
}

static void start_on_pipes(void)
{
	int in[2], out[2], err[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		give_up("no pipes in the lab: %m");
	lab.child = fork();
	if (lab.child < 0)
		give_up("no process in the lab: %m");
	if (!lab.child) {
		setsid();
		dup2(in[0], 0), dup2(out[1], 1), dup2(err[1], 2);
		exec_job();
	}
	close(in[0]), close(out[1]), close(err[1]);
	lab.in_to = in[1];
	lab.out.from = out[0];
	lab.err.from = err[0];
}

/* ---- the streams ---- */

static void *relay_out(void *arg)
{
	struct stream *s = arg;
	char buf[32 << 10];
	ssize_t n;

	while (s->from >= 0) {
		n = read(s->from, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		/* A terminal's end is EIO: its last user is gone. */
		if (n <= 0 || atomic_load(&s->unread) || uc_wire_write(s->to, buf, (size_t)n))
			break;
		s->bytes += (uint64_t)n;
	}
	if (s->from >= 0)
		close(s->from);
	return NULL;
}

static void close_stdin(void)
{
	if (lab.in_to >= 0)
		close(lab.in_to);
	lab.in_to = -1;
}

/* Under in_lock. A terminal has no end: its last reader's exit ends it. */
static void end_stdin_when_complete(void)
{
	if (lab.in_bytes >= lab.in_total && !lab.tty)
		close_stdin();
}

static void *relay_in(void *arg)
{
	char buf[32 << 10];
	bool broken = false;
	ssize_t n;

	(void)arg;
	for (;;) {
		n = read(lab.port[UC_LAB_STDIN], buf, sizeof(buf));
		if (n <= 0) { /* the host's side is not there yet */
			usleep(1000);
			continue;
		}
		if (!broken && uc_wire_write(lab.in_to, buf, (size_t)n))
			broken = true; /* the command closed its stdin: read on, into nothing */
		pthread_mutex_lock(&lab.in_lock);
		lab.in_bytes += (uint64_t)n;
		end_stdin_when_complete();
		pthread_mutex_unlock(&lab.in_lock);
	}
	return NULL;
}

static void handle(const struct uc_lab_msg *msg)
{
	struct winsize size = {
		.ws_row = (unsigned short)msg->arg[0],
		.ws_col = (unsigned short)msg->arg[1],
	};

	if (msg->type == UC_LAB_MSG_WINSIZE && lab.tty_fd >= 0)
		ioctl(lab.tty_fd, TIOCSWINSZ, &size);
	if (msg->type == UC_LAB_MSG_CLOSED)
		atomic_store(msg->arg[0] == UC_LAB_STDERR ? &lab.err.unread : &lab.out.unread, 1);
	if (msg->type == UC_LAB_MSG_STDIN_END) {
		pthread_mutex_lock(&lab.in_lock);
		lab.in_total = msg->arg[0];
		end_stdin_when_complete();
		pthread_mutex_unlock(&lab.in_lock);
	}
}

static void *relay_ctl(void *arg)
{
	struct uc_lab_msg msg;

	(void)arg;
	while (!uc_wire_recv(lab.port[UC_LAB_CTL], &msg, payload))
		handle(&msg);
	return NULL;
}

static void start_relays(void)
{
	pthread_t ctl;

	lab.out.to = lab.port[UC_LAB_STDOUT];
	lab.err.to = lab.port[UC_LAB_STDERR];
	if (pthread_create(&lab.out.thread, NULL, relay_out, &lab.out) ||
	    pthread_create(&lab.err.thread, NULL, relay_out, &lab.err) ||
	    pthread_create(&lab.in_thread, NULL, relay_in, NULL) ||
	    pthread_create(&ctl, NULL, relay_ctl, NULL))
		give_up("no threads in the lab: %m");
}

/* Waits for the command, reaping its orphans on the way; the shell's convention for signals. */
static int wait_for_job(void)
{
	int status;
	pid_t pid;

	do
		pid = wait(&status);
	while (pid != lab.child);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void report(int status)
{
	struct uc_lab_msg msg = {.type = UC_LAB_MSG_EXIT};

	kill(-1, SIGKILL);
	pthread_join(lab.out.thread, NULL);
	pthread_join(lab.err.thread, NULL);
	msg.arg[0] = (uint64_t)status;
	msg.arg[1] = lab.out.bytes;
	msg.arg[2] = lab.err.bytes;
	uc_wire_send(lab.port[UC_LAB_CTL], &msg, NULL);
}

int main(void)
{
	struct uc_lab_msg hello = {.type = UC_LAB_MSG_HELLO};

	mount_all();
	shorten_turns();
	signal(SIGPIPE, SIG_IGN);
	for (int nr = UC_LAB_CTL; nr <= UC_LAB_STDERR; nr++) {
		lab.port[nr] = open_port(nr);
		if (lab.port[nr] < 0)
			fprintf(stderr, "lab agent: no virtio-serial port %d: %m\n", nr);
	}
	load_modules();
	uc_wire_send(lab.port[UC_LAB_CTL], &hello, NULL);
	receive_job();
	lab.tty ? start_on_tty() : start_on_pipes();
	start_relays();
	report(wait_for_job());
	for (;;)
		pause();
}
