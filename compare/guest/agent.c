/* SPDX-License-Identifier: MIT */
/*
 * /init of the guests of `upcall compare`, statically linked. What it is to be says the kernel
 * command line:
 *
 *     upcall.compare=target      eth0 with ADDRESS, the servers below, busy tasks when told so
 *     upcall.compare=competitor  a busy task on each CPU, for ever
 *     upcall.address=A.B.C.D     of the target
 *
 * Servers of the target (compare/measure/ports.h): UDP echo and TCP echo, each one ordinary task;
 * busybox httpd; and control, which answers "busy", "idle" and "work" with the loops that the busy
 * tasks have done so far. Lines of its own start with "compare: ".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compare/measure/ports.h"

#define MAX_CPUS     128
#define PAGE_BYTES   1024
#define MODULE	     "/xen-netfront.ko"
#define BUSYBOX	     "/bin/busybox"
#define CARD_TRIES   300
#define CARD_WAIT_US 100000

/* One line of cache each, so that counting costs the busy tasks nothing. */
struct work {
	uint64_t loops;
	char pad[120];
};

static struct work *work; /* shared with the busy tasks */
static pid_t busy[MAX_CPUS];
static int nr_cpus;

static void die(const char *what)
{
	printf("compare: FAILED: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	for (;;)
		pause();
}

static void mount_all(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	if (mount("proc", "/proc", "proc", 0, NULL) || mount("sysfs", "/sys", "sysfs", 0, NULL))
		die("mount");
	mount("dev", "/dev", "devtmpfs", 0, NULL);
}

/* The value of `key` on the kernel's command line, or "". */
static const char *parameter(const char *key)
{
	static char line[4096];
	char copy[4096], *at = NULL, *word;
	FILE *file = fopen("/proc/cmdline", "re");

	if (!file || !fgets(copy, sizeof(copy), file))
		die("/proc/cmdline");
	fclose(file);
	line[0] = '\0';
	for (word = strtok_r(copy, " \n", &at); word; word = strtok_r(NULL, " \n", &at))
		if (!strncmp(word, key, strlen(key)) && word[strlen(key)] == '=')
			snprintf(line, sizeof(line), "%s", word + strlen(key) + 1);
	return line;
}

/* ---- busy tasks ---- */

static void spin_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		_exit(1);
	for (;;) {
		for (volatile int i = 0; i < 1000; i++)
			;
		__atomic_store_n(&work[cpu].loops, work[cpu].loops + 1, __ATOMIC_RELAXED);
	}
}

/* They are there from the start, stopped: making them costs time in no window. */
static void make_busy_tasks(void)
{
	for (int cpu = 0; cpu < nr_cpus; cpu++) {
		busy[cpu] = fork();
		if (busy[cpu] < 0)
			die("fork");
		if (!busy[cpu]) {
			raise(SIGSTOP);
			spin_on(cpu);
		}
		/* A SIGCONT before that stop would be lost. */
		waitpid(busy[cpu], NULL, WUNTRACED);
	}
}

static void signal_busy_tasks(int signal)
{
	for (int cpu = 0; cpu < nr_cpus; cpu++)
		kill(busy[cpu], signal);
}

static uint64_t loops(void)
{
	uint64_t sum = 0;

	for (int cpu = 0; cpu < nr_cpus; cpu++)
		sum += __atomic_load_n(&work[cpu].loops, __ATOMIC_RELAXED);
	return sum;
}

/* ---- network ---- */

static void load_driver(void)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return; /* built in */
	if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
		die(MODULE);
	close(fd);
}

static void set_up(int sock, const char *name, const char *address)
{
	struct ifreq ifr = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)&ifr.ifr_addr;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	in->sin_family = AF_INET;
	if (inet_pton(AF_INET, address, &in->sin_addr) != 1 || ioctl(sock, SIOCSIFADDR, &ifr))
		die(address);
	inet_pton(AF_INET, "255.255.255.0", &in->sin_addr);
	if (ioctl(sock, SIOCSIFNETMASK, &ifr) || ioctl(sock, SIOCGIFFLAGS, &ifr))
		die(name);
	ifr.ifr_flags |= IFF_UP | IFF_RUNNING;
	if (ioctl(sock, SIOCSIFFLAGS, &ifr))
		die(name);
}

static void bring_card_up(const char *address)
{
	struct ifreq ifr = {.ifr_name = "eth0"};
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), tries = 0;

	while (ioctl(sock, SIOCGIFFLAGS, &ifr)) {
		if (++tries > CARD_TRIES)
			die("eth0");
		usleep(CARD_WAIT_US);
	}
	set_up(sock, "lo", "127.0.0.1");
	set_up(sock, "eth0", address);
	close(sock);
}

static int serve_on(int type, uint16_t port)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)))
		die("bind");
	if (type == SOCK_STREAM && listen(fd, 64))
		die("listen");
	return fd;
}

/* A child that dies with us: there is no way out of the machine but its end. */
static bool in_child(const char *name)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid)
		prctl(PR_SET_NAME, name);
	return !pid;
}

static void echo_udp(int fd)
{
	char packet[2048];

	for (;;) {
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &len);

		if (n > 0)
			sendto(fd, packet, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
}

static void accept_one(int epoll, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), on = 1;
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		close(fd);
}

static void echo_one(int fd)
{
	char data[2048];
	ssize_t n = read(fd, data, sizeof(data));

	if (n <= 0 || write(fd, data, (size_t)n) != n)
		close(fd);
}

static void echo_tcp(int listener)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event))
		die("epoll");
	for (;;) {
		if (epoll_wait(epoll, &event, 1, -1) != 1)
			continue;
		if (event.data.fd == listener)
			accept_one(epoll, listener);
		else
			echo_one(event.data.fd);
	}
}

/*
 * Servers work little and at once, and say so to Linux (6.12 and later): else one that wakes waits
 * until the busy task of its vCPU has had its slice, which is the guest's doing, not the host's.
 */
static void ask_for_short_slices(void)
{
	const struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime_ns, deadline_ns, period_ns;
	} attr = {.size = sizeof(attr), .runtime_ns = 100000}; /* struct sched_attr */

	syscall(SYS_sched_setattr, 0, &attr, 0);
}

static void start_httpd(void)
{
	static char page[PAGE_BYTES];
	int fd;

	if (access(BUSYBOX, X_OK))
		return;
	mkdir("/www", 0755);
	fd = open("/www/index.html", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	memset(page, 'x', sizeof(page));
	if (fd < 0 || write(fd, page, sizeof(page)) != sizeof(page))
		die("/www/index.html");
	close(fd);
	if (in_child("httpd")) {
		char port[8];

		ask_for_short_slices();
		snprintf(port, sizeof(port), "%d", UC_COMPARE_HTTP_PORT);
		execl(BUSYBOX, "httpd", "-f", "-p", port, "-h", "/www", NULL);
		_exit(127);
	}
}

static void start_servers(void)
{
	int udp = serve_on(SOCK_DGRAM, UC_COMPARE_ECHO_PORT);
	int tcp = serve_on(SOCK_STREAM, UC_COMPARE_ECHO_PORT);

	if (in_child("udp-echo")) {
		ask_for_short_slices();
		echo_udp(udp);
	}
	if (in_child("tcp-echo")) {
		ask_for_short_slices();
		echo_tcp(tcp);
	}
	start_httpd();
}

/* ---- the two roles ---- */

static void obey(int fd)
{
	for (;;) {
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		char word[64], answer[64];
		ssize_t n = recvfrom(fd, word, sizeof(word) - 1, 0, (struct sockaddr *)&from, &len);

		if (n < 0)
			continue;
		word[n] = '\0';
		if (!strncmp(word, "busy", 4))
			signal_busy_tasks(SIGCONT);
		if (!strncmp(word, "idle", 4))
			signal_busy_tasks(SIGSTOP);
		/* The words are echoed, so that an answer tells which question it is for. */
		n = snprintf(answer, sizeof(answer), "%.31s %llu", word,
			     (unsigned long long)loops());
		sendto(fd, answer, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
}

static void be_target(void)
{
	char address[64];
	int control;

	snprintf(address, sizeof(address), "%s", parameter("upcall.address"));
	load_driver();
	bring_card_up(address);
	start_servers();
	control = serve_on(SOCK_DGRAM, UC_COMPARE_CONTROL_PORT);
	printf("compare: ready\n");
	fflush(stdout);
	obey(control);
}

int main(void)
{
	mount_all();
	nr_cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	if (nr_cpus > MAX_CPUS)
		nr_cpus = MAX_CPUS;
	work = mmap(NULL, sizeof(*work) * MAX_CPUS, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (work == MAP_FAILED)
		die("mmap");
	make_busy_tasks();
	if (!strcmp(parameter("upcall.compare"), "target"))
		be_target();
	signal_busy_tasks(SIGCONT);
	printf("compare: competes\n");
	fflush(stdout);
	for (;;)
		pause();
}
