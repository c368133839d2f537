/* SPDX-License-Identifier: MIT */
/*
 * Starts QEMU for the lab. Everything is handed over as inherited descriptors, so there are no
 * sockets or logs in the file system, and nothing to clean up after a kill. The machine dies with
 * this process whatever happens to it (PR_SET_PDEATHSIG), and has its own process group, so that
 * a ^C on the terminal reaches only the supervisor.
 *
 * Always plain emulation: a /dev/kvm that is good enough for the lab would be good enough to run
 * natively, and a bad one hangs the machine in early boot.
 */
#include "lab/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 64

/*
 * oops=panic panic=-1 with -no-reboot: a broken lab kernel ends the machine at once.
 * tsc=reliable: the emulator's TSC is the host's, but has no flag that says so; without it KVM
 * offers its guests no stable clock.
 * no_timer_check: on a busy host the timer's thread of QEMU may not run within the 10 ticks that
 * the kernel's test of the IO-APIC gives it; then the kernel panics.
 */
#define KERNEL_ARGS                                                                                \
	"console=ttyS0 loglevel=5 oops=panic panic=-1 tsc=reliable random.trust_cpu=on "           \
	"mitigations=off cryptomgr.notests no_timer_check"
#define SHORT_TURNS " lab_short_turns=1 initcall_blacklist=cmos_init"

struct argv {
	char *words[ARGS_MAX];
	int count;
};

static void __attribute__((format(printf, 2, 3))) add(struct argv *argv, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (argv->count < ARGS_MAX - 1 && vasprintf(&argv->words[argv->count], fmt, ap) >= 0)
		argv->words[++argv->count] = NULL;
	va_end(ap);
}

static void add_option(struct argv *argv, const char *option, const char *value)
{
	add(argv, "%s", option);
	add(argv, "%s", value);
}

static void free_argv(struct argv *argv)
{
	for (int i = 0; i < argv->count; i++)
		free(argv->words[i]);
}

static void add_machine(struct argv *argv, const struct uc_lab_qemu *qemu,
			const struct uc_lab_config *config)
{
	add(argv, "%s", qemu->path);
	if (qemu->share[0])
		add_option(argv, "-L", qemu->share);
	/*
	 * One thread emulates all CPUs in turns: it changes them at each interrupt and each PAUSE,
	 * which is often enough, costs one CPU of the host's, and is the only way that has never
	 * mixed up guests (docs/lab.md, Traps).
	 */
	add_option(argv, "-accel", "tcg,thread=single");
	/* While all CPUs are idle the clock goes on to the next timer at once. */
	if (config->virtual_time) {
		add_option(argv, "-icount", "shift=0,sleep=off");
		add_option(argv, "-rtc", "clock=vm"); /* for agent.c, shorten_turns() */
	}
	/*
	 * QEMU 7.2 does not intercept XSETBV for a nested guest, so KVM never learns the guest's
	 * XCR0 and gives it inconsistent state sizes (Linux warns) and the wrong XCR0 to run with.
	 * QEMU 10 does; there XSAVE is left out so that guests see the same machine on either (the
	 * lab's start costs the same CPU time both ways).
	 */
	add_option(argv, "-cpu", "max,-xsave");
	add_option(argv, "-machine", "q35");
	add(argv, "-smp");
	add(argv, "%u", config->cpus);
	add(argv, "-m");
	add(argv, "%lluM", (unsigned long long)(config->memory_bytes >> 20));
	add_option(argv, "-display", "none");
	add(argv, "-nodefaults");
	add(argv, "-no-user-config");
	add(argv, "-no-reboot");
}

static void add_ports(struct argv *argv, const int port[], int console)
{
	add(argv, "-chardev");
	add(argv, "socket,id=console,fd=%d", console);
	add_option(argv, "-serial", "chardev:console");
	add_option(argv, "-device", "virtio-serial-pci,max_ports=8");
	for (int nr = UC_LAB_CTL; nr <= UC_LAB_STDERR; nr++) {
		add(argv, "-chardev");
		add(argv, "socket,id=port%d,fd=%d", nr, port[nr]);
		add(argv, "-device");
		add(argv, "virtserialport,nr=%d,chardev=port%d,name=upcall.%d", nr, nr, nr);
	}
}

/* The unpacked kernel where there is one: unpacking in emulation costs 1.5 s. */
static int add_kernel(struct argv *argv, const struct uc_lab_config *config, int initramfs,
		      struct uc_diag *diag)
{
	char kernel[PATH_MAX];

	if (uc_lab_cache_file(UC_LAB_KERNEL, "vmlinux", kernel, diag) &&
	    uc_lab_cache_file(UC_LAB_KERNEL, "vmlinuz", kernel, diag))
		return uc_fail(diag, UC_EXIT_LAB_FETCH, ENOENT,
			       "no kernel at %s; remove that "
			       "directory and run again",
			       kernel);
	add_option(argv, "-kernel", kernel);
	add(argv, "-initrd");
	add(argv, "/proc/self/fd/%d", initramfs);
	add_option(argv, "-append", config->virtual_time ? KERNEL_ARGS SHORT_TURNS : KERNEL_ARGS);
	return 0;
}

static void keep_open(int fd)
{
	fcntl(fd, F_SETFD, 0);
}

static void __attribute__((noreturn))
exec_qemu(char **argv, const int theirs[], int console, int complaints, int initramfs, pid_t parent)
{
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before the line above */
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int nr = UC_LAB_CTL; nr <= UC_LAB_STDERR; nr++)
		keep_open(theirs[nr]);
	keep_open(console);
	keep_open(initramfs);
	dup2(null, STDIN_FILENO);
	dup2(complaints, STDOUT_FILENO);
	dup2(complaints, STDERR_FILENO);
	execv(argv[0], argv);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(1);
}

/* [0] is ours, [1] QEMU's; the pipe flows from QEMU to us. */
static int make_channels(int pair[][2], int complaints[2])
{
	for (int nr = 0; nr <= UC_LAB_STDERR; nr++)
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair[nr]))
			return -errno;
	return pipe2(complaints, O_CLOEXEC | O_NONBLOCK) ? -errno : 0;
}

static int spawn(struct uc_lab_machine *m, struct argv *argv, int pair[][2], int initramfs)
{
	int complaints[2], theirs[UC_LAB_STDERR + 1];
	int rc = make_channels(pair, complaints);
	pid_t parent = getpid();

	if (rc)
		return rc;
	for (int nr = 0; nr <= UC_LAB_STDERR; nr++)
		theirs[nr] = pair[nr][1];
	add_ports(argv, theirs, theirs[0]);
	m->pid = fork();
	if (m->pid < 0)
		return -errno;
	if (!m->pid)
		exec_qemu(argv->words, theirs, theirs[0], complaints[1], initramfs, parent);
	m->pidfd = (int)syscall(SYS_pidfd_open, m->pid, 0);
	for (int nr = 0; nr <= UC_LAB_STDERR; nr++) {
		m->port[nr] = pair[nr][0];
		close(theirs[nr]);
	}
	m->console = m->port[0];
	m->complaints = complaints[0];
	close(complaints[1]);
	return m->pidfd < 0 ? -ENOSYS : 0;
}

int uc_lab_machine_start(struct uc_lab_machine *m, const struct uc_lab_qemu *qemu,
			 const struct uc_lab_config *config, int initramfs, struct uc_diag *diag)
{
	struct argv argv = {.count = 0};
	int pair[UC_LAB_STDERR + 1][2], rc;

	add_machine(&argv, qemu, config);
	rc = add_kernel(&argv, config, initramfs, diag);
	if (!rc) {
		rc = spawn(m, &argv, pair, initramfs);
		if (rc)
			uc_fail(diag, UC_EXIT_INTERNAL, -rc, "cannot start %s: %s", qemu->path,
				strerror(-rc));
	}
	free_argv(&argv);
	return rc;
}

int uc_lab_machine_kill(struct uc_lab_machine *m)
{
	int status = 0;

	kill(m->pid, SIGKILL);
	while (waitpid(m->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(m->pidfd);
	return status;
}
