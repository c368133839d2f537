/* SPDX-License-Identifier: MIT */
#include "compare/measure/host.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CGROUP	       "/sys/fs/cgroup"
#define CGROUP_CONTROL CGROUP "/cgroup.subtree_control"
#define PERIOD_US      100000
#define TAP_TRIES      500
#define TAP_WAIT_NS    20000000
#define REAL_TIME      50

/* The first `count` CPUs of `from`, taken out of it. False: there are fewer. */
static bool take(cpu_set_t *to, cpu_set_t *from, unsigned int count)
{
	CPU_ZERO(to);
	for (int cpu = 0; cpu < CPU_SETSIZE && (unsigned int)CPU_COUNT(to) < count; cpu++) {
		if (!CPU_ISSET(cpu, from))
			continue;
		CPU_SET(cpu, to);
		CPU_CLR(cpu, from);
	}
	return (unsigned int)CPU_COUNT(to) == count;
}

int uc_host_take_cpus(struct uc_host_cpus *cpus, unsigned int guests, unsigned int io,
		      struct uc_diag *diag)
{
	cpu_set_t have;
	int count;

	if (sched_getaffinity(0, sizeof(have), &have))
		return uc_fail(diag, UC_EXIT_INTERNAL, errno, "sched_getaffinity: %s",
			       strerror(errno));
	count = CPU_COUNT(&have);
	if (!take(&cpus->guests, &have, guests) || !take(&cpus->io, &have, io))
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "%u CPUs for guests and %u for I/O are more than the %d here; give "
			       "smaller numbers to --host-cpus and --io-cpus",
			       guests, io, count);
	if (!io)
		cpus->io = cpus->guests;
	if (sched_setaffinity(0, sizeof(cpus->io), &cpus->io))
		return uc_fail(diag, UC_EXIT_INTERNAL, errno, "sched_setaffinity: %s",
			       strerror(errno));
	return 0;
}

/* ---- network ---- */

static int set_address(int sock, const char *name, const char *address)
{
	struct ifreq ifr = {0};
	struct sockaddr_in in = {.sin_family = AF_INET};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	inet_pton(AF_INET, address, &in.sin_addr);
	memcpy(&ifr.ifr_addr, &in, sizeof(in));
	if (ioctl(sock, SIOCSIFADDR, &ifr))
		return -errno;
	inet_pton(AF_INET, "255.255.255.0", &in.sin_addr);
	memcpy(&ifr.ifr_netmask, &in, sizeof(in));
	return ioctl(sock, SIOCSIFNETMASK, &ifr) ? -errno : 0;
}

static int bring_up(int sock, const char *name)
{
	struct ifreq ifr = {0};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(sock, SIOCGIFFLAGS, &ifr))
		return -errno;
	ifr.ifr_flags |= IFF_UP;
	return ioctl(sock, SIOCSIFFLAGS, &ifr) ? -errno : 0;
}

static int network_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

int uc_host_own_network(struct uc_diag *diag)
{
	int sock, rc;

	if (unshare(CLONE_NEWNET))
		return uc_fail(diag, UC_EXIT_USAGE, errno,
			       "cannot make a network namespace (%s): run as root",
			       strerror(errno));
	sock = network_socket();
	rc = bring_up(sock, "lo");
	close(sock);
	return rc ? uc_fail(diag, UC_EXIT_INTERNAL, -rc, "lo: %s", strerror(-rc)) : 0;
}

/* The guest's process makes the tap when it starts. */
static int wait_for_tap(int sock, const char *tap)
{
	const struct timespec tick = {.tv_nsec = TAP_WAIT_NS};
	int rc = -ENODEV;

	for (int i = 0; i < TAP_TRIES && rc == -ENODEV && !uc_host_told_to_stop(); i++) {
		rc = bring_up(sock, tap);
		if (rc)
			nanosleep(&tick, NULL);
	}
	return rc;
}

int uc_host_set_addresses(const char *tap, const char *const *addresses, unsigned int count,
			  struct uc_diag *diag)
{
	int sock = network_socket(), rc = wait_for_tap(sock, tap);
	char label[IFNAMSIZ];

	for (unsigned int i = 0; i < count && !rc; i++) {
		snprintf(label, sizeof(label), i ? "%.10s:%u" : "%.10s", tap, i);
		rc = set_address(sock, label, addresses[i]);
	}
	close(sock);
	return rc ? uc_fail(diag, UC_EXIT_INTERNAL, -rc, "cannot set up %s: %s", tap, strerror(-rc))
		  : 0;
}

/* ---- CPU ---- */

bool uc_host_real_time(void)
{
	const struct sched_param param = {.sched_priority = REAL_TIME};

	return !sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param);
}

static void quota_path(char *path, size_t size, const char *file)
{
	snprintf(path, size, "%s/upcall-compare-%d%s", CGROUP, (int)getpid(), file);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

static bool mounted_cgroups, enabled_cpu, made_cgroup; /* by us, so by us to be undone */

/* A fresh lab has none mounted; elsewhere it is there, and mounting it again is refused. */
static void mount_cgroups(void)
{
	if (access(CGROUP "/cgroup.controllers", F_OK))
		mounted_cgroups = !mount("cgroup2", CGROUP, "cgroup2", 0, NULL);
}

static int enable_cpu(void)
{
	char have[256] = " ";
	FILE *file = fopen(CGROUP_CONTROL, "re");
	int rc;

	if (file) {
		if (!fgets(have + 1, sizeof(have) - 2, file))
			have[1] = '\0';
		fclose(file);
	}
	have[strcspn(have, "\n")] = ' ';
	if (strstr(have, " cpu "))
		return 0;
	rc = write_file(CGROUP_CONTROL, "+cpu");
	enabled_cpu = !rc;
	return rc;
}

static int try_quota(pid_t pid, unsigned int percent)
{
	char path[128], text[64];
	int rc = enable_cpu();

	quota_path(path, sizeof(path), "");
	if (!rc && mkdir(path, 0755))
		rc = -errno;
	made_cgroup = !rc;
	quota_path(path, sizeof(path), "/cpu.max");
	snprintf(text, sizeof(text), "%u %u", percent * (PERIOD_US / 100), PERIOD_US);
	if (!rc)
		rc = write_file(path, text);
	quota_path(path, sizeof(path), "/cgroup.procs");
	snprintf(text, sizeof(text), "%d", (int)pid);
	return rc ? rc : write_file(path, text);
}

int uc_host_set_quota(pid_t pid, unsigned int percent, struct uc_diag *diag)
{
	int rc;

	mount_cgroups();
	rc = try_quota(pid, percent);
	return rc ? uc_fail(diag, UC_EXIT_INTERNAL, -rc,
			    "cannot set a quota (%s); it needs cgroup v2 with its cpu controller "
			    "at " CGROUP,
			    strerror(-rc))
		  : 0;
}

void uc_host_drop_quota(void)
{
	char path[128];

	quota_path(path, sizeof(path), "");
	if (made_cgroup)
		rmdir(path);
	if (enabled_cpu)
		write_file(CGROUP_CONTROL, "-cpu");
	if (mounted_cgroups)
		umount2(CGROUP, MNT_DETACH);
	made_cgroup = enabled_cpu = mounted_cgroups = false;
}

/* ---- signals ---- */

static volatile sig_atomic_t told_to_stop;

static void on_signal(int number)
{
	(void)number;
	told_to_stop = 1;
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

static bool is_handled_by(int number, void (*handler)(int))
{
	struct sigaction action;

	return !sigaction(number, NULL, &action) && action.sa_handler == handler;
}

void uc_host_catch_signals(void)
{
	const struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: waits end */

	for (size_t i = 0; i < SIGNALS; i++)
		if (!is_handled_by(signals[i], SIG_IGN))
			sigaction(signals[i], &action, NULL);
}

void uc_host_hold_signals(sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaddset(&set, signals[i]);
	pthread_sigmask(SIG_BLOCK, &set, old);
}

void uc_host_default_signals(const sigset_t *old)
{
	for (size_t i = 0; i < SIGNALS; i++)
		if (is_handled_by(signals[i], on_signal))
			signal(signals[i], SIG_DFL);
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

bool uc_host_told_to_stop(void)
{
	return told_to_stop;
}

/* ---- CPU times ---- */

static bool read_line(int dir, const char *tid, const char *file, char *line, size_t size)
{
	char path[300];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", tid, file);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, line, size - 1);
	close(fd);
	line[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* Calls `each` for every thread of `pid`. */
static void for_each_thread(pid_t pid,
			    void (*each)(void *ctx, int tasks, const char *tid, bool is_vcpu),
			    void *ctx)
{
	char path[64], name[32];
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks)))
		if (entry->d_name[0] != '.' &&
		    read_line(dirfd(tasks), entry->d_name, "comm", name, sizeof(name)))
			each(ctx, dirfd(tasks), entry->d_name, !strncmp(name, "vcpu", 4));
	if (tasks)
		closedir(tasks);
}

static void place_thread(void *ctx, int tasks, const char *tid, bool is_vcpu)
{
	const struct uc_host_cpus *cpus = ctx;
	const cpu_set_t *set = is_vcpu ? &cpus->guests : &cpus->io;

	(void)tasks;
	sched_setaffinity(atoi(tid), sizeof(*set), set);
}

void uc_host_place(const struct uc_host_cpus *cpus, pid_t pid)
{
	for_each_thread(pid, place_thread, (void *)cpus);
}

static void add_times(void *ctx, int tasks, const char *tid, bool is_vcpu)
{
	struct uc_cpu_times *times = ctx;
	unsigned long long ns;
	char stat[128];

	if (read_line(tasks, tid, "schedstat", stat, sizeof(stat)) &&
	    sscanf(stat, "%llu", &ns) == 1)
		*(is_vcpu ? &times->vcpu_ns : &times->other_ns) += ns;
}

struct uc_cpu_times uc_host_cpu_times(pid_t pid)
{
	struct uc_cpu_times times = {0, 0};

	for_each_thread(pid, add_times, &times);
	return times;
}
