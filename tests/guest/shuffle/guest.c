/* SPDX-License-Identifier: MIT */
/*
 * /init of the shuffle test's guest, statically linked. Brings eth0 up with the stock xen-netfront,
 * then does what the driver in the lab (driver.c) says over TCP, one line each way:
 *
 *     load 0|1      requests of our own to the driver; 0 answers when none is on its way
 *     busy 0|1      a task per CPU that spins and sends IPIs
 *     offline N, online N
 *     counters TAG  answers, falls silent, then LOOKS times: have the VMM print its counters, read
 *                   /proc/interrupts, and again; prints what it read, and answers a second time
 *     poweroff
 *
 * UDP ports 7000 to 7003 and TCP port 7100 send back what they get. A request of ours that has no
 * answer after DEADLINE_NS of time in which we ran is a failure. Lines of its own begin with
 * "shuffle: ".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/shuffle/shared.h"

#define COUNTERS_PORT 0x610 /* vmm/kvm/exits.h */

static bool load_on, busy_on;
static unsigned int in_flight; /* requests of ours */
static unsigned long answered;

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	char line[4096];
	size_t n = (size_t)snprintf(line, sizeof(line), "shuffle: ");
	va_list ap;

	va_start(ap, fmt);
	n += (size_t)vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	line[n++] = '\n';
	pthread_mutex_lock(&lock);
	for (size_t at = 0; at < n;) {
		ssize_t put = write(STDOUT_FILENO, line + at, n - at);

		if (put > 0)
			at += (size_t)put;
	}
	pthread_mutex_unlock(&lock);
}

static void die(const char *what)
{
	say("FAILED %s: %s", what, strerror(errno));
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static bool is_on(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_RELAXED);
}

static void nap_ms(long ms)
{
	struct timespec delay = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&delay, NULL);
}

/* Fails for one that is offline: then not pinned. */
static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void start(void *(*run)(void *), long arg)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, run, (void *)arg);
	if (errno)
		die("pthread_create");
}

/* ---- the network card ---- */

static void put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

static void load_driver(void)
{
	int fd = open("/xen-netfront.ko", O_RDONLY);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		die("xen-netfront.ko");
	close(fd);
	for (int i = 0; i < 600 && access("/sys/class/net/eth0", F_OK); i++)
		nap_ms(100);
}

static struct sockaddr_in address(const char *ip, int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

/* Without IPv6 and with a fixed ARP entry, nothing is on the wire but what the test sends. */
static void card_up(void)
{
	struct sockaddr_in ip = address(GUEST_IP, 0), mask = address("255.255.255.0", 0);
	struct sockaddr_in driver = address(DRIVER_IP, 0);
	struct ifreq ifr = {.ifr_name = "eth0"};
	struct arpreq arp = {.arp_flags = ATF_PERM | ATF_COM, .arp_dev = "eth0"};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	put_text("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	load_driver();
	memcpy(&ifr.ifr_addr, &ip, sizeof(ip));
	if (ioctl(fd, SIOCSIFADDR, &ifr))
		die("address of eth0");
	memcpy(&ifr.ifr_netmask, &mask, sizeof(mask));
	if (ioctl(fd, SIOCSIFNETMASK, &ifr))
		die("netmask of eth0");
	ifr.ifr_flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr))
		die("eth0 up");
	memcpy(&arp.arp_pa, &driver, sizeof(driver));
	arp.arp_ha.sa_family = ARPHRD_ETHER;
	memcpy(arp.arp_ha.sa_data, DRIVER_MAC, 6);
	if (ioctl(fd, SIOCSARP, &arp))
		die("ARP entry");
	close(fd);
}

static int listening(int type, int port)
{
	struct sockaddr_in a = address("0.0.0.0", port);
	int fd = socket(AF_INET, type, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || (type == SOCK_STREAM && listen(fd, 8)))
		die("bind");
	return fd;
}

/* ---- what sends back ---- */

static void *echo_udp(void *arg)
{
	int fd = listening(SOCK_DGRAM, UDP_ECHO_PORT + (int)(long)arg);
	struct sockaddr_in from;
	uint32_t packet[512];

	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &len);

		/* synchronize_rcu(): every CPU has left the interrupt that it was in. */
		if (n >= 8 && packet[1] == PING_SETTLES)
			syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0);
		if (n > 0)
			sendto(fd, packet, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
	return NULL;
}

static void *echo_stream(void *arg)
{
	int fd = (int)(long)arg;
	char bytes[65536];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		for (ssize_t at = 0, put; at < n; at += put) {
			put = write(fd, bytes + at, (size_t)(n - at));
			if (put < 0)
				die("a bulk connection");
		}
	close(fd);
	return NULL;
}

static void *accept_bulk(void *arg)
{
	int fd = listening(SOCK_STREAM, BULK_PORT), client;

	(void)arg;
	while ((client = accept(fd, NULL, NULL)) >= 0)
		start(echo_stream, client);
	die("accept");
	return NULL;
}

/* ---- requests of our own ---- */

static void request(int fd, uint32_t number)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint32_t packet[256] = {number}, back;
	struct live_clock clock = {0};
	uint64_t begin = live_ns(&clock);
	size_t bytes = 4 + number * 2654435761u % 1000;

	if (send(fd, packet, bytes, 0) != (ssize_t)bytes)
		die("send");
	for (;;) {
		poll(&p, 1, 10);
		/* What is late answers an earlier request, which has failed already. */
		if (recv(fd, &back, sizeof(back), MSG_DONTWAIT) == 4 && back == number)
			break;
		if (live_ns(&clock) - begin > DEADLINE_NS) {
			say("FAILED: request %u to the driver has no answer", number);
			return;
		}
	}
	__atomic_fetch_add(&answered, 1, __ATOMIC_RELAXED);
}

static void *request_all(void *arg)
{
	struct sockaddr_in a = address(DRIVER_IP, DRIVER_ECHO_PORT + (int)(long)arg);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		die("connect");
	for (uint32_t number = 1;; number++) {
		__atomic_fetch_add(&in_flight, 1, __ATOMIC_SEQ_CST);
		if (is_on(&load_on))
			request(fd, number);
		__atomic_fetch_sub(&in_flight, 1, __ATOMIC_SEQ_CST);
		nap_ms(is_on(&load_on) ? (long)(number % 20) : 50);
	}
	return NULL;
}

/* ---- busy CPUs ---- */

/* Idle class: it takes every cycle that is left and delays nothing in the guest. */
static void *spin(void *arg)
{
	struct sched_param none = {0};
	volatile uint32_t x = 0;

	(void)arg;
	syscall(SYS_sched_setscheduler, 0, SCHED_IDLE, &none);
	for (;;) {
		if (!is_on(&busy_on)) {
			nap_ms(20);
			continue;
		}
		for (uint32_t i = 0; i < 200000; i++)
			x += i;
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0);
	}
	return NULL;
}

/* ---- commands ---- */

static const char *set_online(int cpu, bool online)
{
	char path[64];
	int fd, put;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return strerror(errno);
	put = (int)write(fd, online ? "1" : "0", 1);
	if (put != 1)
		put = -errno;
	close(fd);
	return put == 1 ? "ok" : strerror(-put);
}

/* "  5:  0  976  xen-percpu  -virq  timer1" -> " timer1=0,976"; "" for other than event channels.
 */
static size_t irq_text(char *line, char *out, size_t size)
{
	char *save, *word = strtok_r(line, " ", &save), *last = word, counts[512] = "";
	bool is_xen = false, counting = true;
	size_t used = 0;

	while ((word = strtok_r(NULL, " ", &save))) {
		counting = counting && word[strspn(word, "0123456789")] == '\0';
		if (counting && used < sizeof(counts))
			used += (size_t)snprintf(counts + used, sizeof(counts) - used, "%s%s",
						 used ? "," : "", word);
		is_xen |= !strncmp(word, "xen-", 4);
		last = word;
	}
	return is_xen ? (size_t)snprintf(out, size, " %s=%s", last, counts) : 0;
}

static void print_irqs(int tag, char *text)
{
	static char line[3800];
	size_t used = 0;
	char *save, *row = strtok_r(text, "\n", &save);

	/* The first row names the CPUs of the columns. */
	for (row = strtok_r(NULL, "\n", &save); row && used < sizeof(line);
	     row = strtok_r(NULL, "\n", &save))
		used += irq_text(row, line + used, sizeof(line) - used);
	say("irqs %d%s", tag, used < sizeof(line) ? line : " FAILED: too long");
}

static void read_interrupts(char *text, size_t size)
{
	int fd = open("/proc/interrupts", O_RDONLY);
	size_t used = 0;
	ssize_t n;

	while (fd >= 0 && used < size - 1 && (n = read(fd, text + used, size - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	text[used] = '\0';
}

static void counters(int tag)
{
	static char text[LOOKS][65536];
	bool was_busy = is_on(&busy_on);

	if (ioperm(COUNTERS_PORT, 1, 1))
		die("ioperm");
	__atomic_store_n(&busy_on, false, __ATOMIC_RELAXED);
	nap_ms(500); /* longer than TCP's last acknowledgement is put off */
	for (int i = 0; i < LOOKS; i++) {
		pin(i % (int)sysconf(_SC_NPROCESSORS_CONF)); /* whoever looks is not silent */
		nap_ms(3);
		outb((unsigned char)(tag + 2 * i), COUNTERS_PORT);
		read_interrupts(text[i], sizeof(text[i]));
		outb((unsigned char)(tag + 2 * i + 1), COUNTERS_PORT);
	}
	__atomic_store_n(&busy_on, was_busy, __ATOMIC_RELAXED);
	for (int i = 0; i < LOOKS; i++)
		print_irqs((tag + 2 * i) % 256, text[i]);
}

static void stop_load(void)
{
	__atomic_store_n(&load_on, false, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&in_flight, __ATOMIC_SEQ_CST))
		nap_ms(5);
}

static void answer(int fd, const char *text)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "%s\n", text);

	if (write(fd, line, (size_t)n) != n)
		die("an answer");
}

static const char *obey(int fd, const char *word, int n)
{
	if (!strcmp(word, "offline") || !strcmp(word, "online"))
		return set_online(n, word[1] == 'n');
	if (!strcmp(word, "load") && n)
		__atomic_store_n(&load_on, true, __ATOMIC_SEQ_CST);
	else if (!strcmp(word, "load"))
		stop_load();
	else if (!strcmp(word, "busy"))
		__atomic_store_n(&busy_on, n != 0, __ATOMIC_SEQ_CST);
	else if (!strcmp(word, "counters")) {
		answer(fd, "ok");
		counters(n);
	} else if (!strcmp(word, "poweroff")) {
		say("%lu requests to the driver answered", answered);
		reboot(RB_POWER_OFF);
	} else
		return "no such command";
	return "ok";
}

static void serve(int fd)
{
	FILE *lines = fdopen(fd, "r");
	char line[128], word[64];
	int n;

	if (!lines)
		die("fdopen");
	while (fgets(line, sizeof(line), lines)) {
		n = 0;
		if (sscanf(line, "%63s %d", word, &n) >= 1)
			answer(fd, obey(fd, word, n));
	}
	die("the driver is gone");
}

int main(void)
{
	int fd;

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	card_up();
	syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0);
	for (long i = 0; i < UDP_FLOWS; i++)
		start(echo_udp, i);
	start(accept_bulk, 0);
	for (long i = 0; i < DRIVER_FLOWS; i++)
		start(request_all, i);
	for (long i = sysconf(_SC_NPROCESSORS_CONF); i > 0; i--)
		start(spin, i);
	fd = listening(SOCK_STREAM, COMMAND_PORT);
	say("ready");
	serve(accept(fd, NULL, NULL));
	return 0;
}
