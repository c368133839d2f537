/* SPDX-License-Identifier: MIT */
/*
 * The test guest's only program: its /init, statically linked. It does what the kernel command line
 * says and ends the machine:
 *
 *     upcall.test=STEP,STEP,...
 *
 *     report        print what a person wants to see: CPUs, event channel lines, time since boot
 *     work:SECONDS  cross-CPU work: IPIs, timers, pipes and futexes between tasks on all CPUs
 *     hotplug:N     take CPUs offline and online again N times, with that work going on
 *     counters:N    N times: have the VMM print its counters, print /proc/interrupts, and again
 *     ask           read one line from the console: the next step
 *     poweroff, reboot, panic
 *
 * Every line of its own starts with "agent: ". run.py reads them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNTERS_PORT 0x610 /* vmm/kvm/exits.h */
#define MAX_CPUS      128

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
	char line[512];
	size_t n = (size_t)snprintf(line, sizeof(line), "agent: ");
	va_list ap;

	va_start(ap, fmt);
	n += (size_t)vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	line[n++] = '\n';
	for (size_t at = 0; at < n;) {
		ssize_t put = write(STDOUT_FILENO, line + at, n - at);

		if (put > 0)
			at += (size_t)put;
	}
}

static void die(const char *what)
{
	say("FAILED %s: %s", what, strerror(errno));
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

/* A small file as a string; "" when it is not there. */
static char *slurp(const char *path)
{
	static char text[1 << 20];
	int fd = open(path, O_RDONLY);
	size_t n = 0;
	ssize_t got;

	while (fd >= 0 && n < sizeof(text) - 1 &&
	       (got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	if (fd >= 0)
		close(fd);
	text[n] = '\0';
	return text;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set),
			  &set); /* fails for one that is offline now: then not pinned */
}

static int nr_cpus(void)
{
	return (int)sysconf(_SC_NPROCESSORS_CONF);
}

/* ---- work ---- */

static volatile bool work_ends;
static int pipes[MAX_CPUS][2];
static unsigned long ipis, naps, tokens;

/* Interrupts every other CPU that runs one of our threads: a call-function IPI. */
static void *send_ipis(void *arg)
{
	pin((int)(long)arg);
	while (!work_ends) {
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0);
		__atomic_fetch_add(&ipis, 1, __ATOMIC_RELAXED);
		sched_yield();
	}
	return NULL;
}

static void *nap(void *arg)
{
	struct timespec delay = {.tv_nsec = 700000};

	pin((int)(long)arg);
	while (!work_ends) {
		nanosleep(&delay, NULL);
		__atomic_fetch_add(&naps, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* A ring of pipes over all CPUs, with two tokens going round: each hop wakes another CPU. */
static void *pass_tokens(void *arg)
{
	int cpu = (int)(long)arg, next = (cpu + 1) % nr_cpus();
	char token;

	pin(cpu);
	while (read(pipes[cpu][0], &token, 1) == 1 && token != 'q') {
		__atomic_fetch_add(&tokens, 1, __ATOMIC_RELAXED);
		if (write(pipes[next][1], &token, 1) != 1)
			break;
	}
	return NULL;
}

static pthread_t threads[3 * MAX_CPUS];

static void start(pthread_t *thread, void *(*run)(void *), int cpu)
{
	errno = pthread_create(thread, NULL, run, (void *)(long)cpu);
	if (errno)
		die("pthread_create");
}

static void work_start(void)
{
	int n = nr_cpus();

	work_ends = false;
	syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0);
	for (int i = 0; i < n; i++)
		if (pipe(pipes[i]))
			die("pipe");
	for (int i = 0; i < n; i++) {
		start(&threads[3 * i], send_ipis, i);
		start(&threads[3 * i + 1], nap, i);
		start(&threads[3 * i + 2], pass_tokens, i);
	}
	if (write(pipes[0][1], "t", 1) != 1 || write(pipes[n / 2][1], "t", 1) != 1)
		die("write to a pipe");
}

static void work_stop(void)
{
	int n = nr_cpus();

	work_ends = true;
	for (int i = 0; i < n; i++)
		if (write(pipes[i][1], "q", 1) != 1)
			die("write to a pipe");
	for (int i = 0; i < 3 * n; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < n; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
	say("work: %lu membarriers, %lu naps, %lu tokens passed", ipis, naps, tokens);
	if (!ipis || !naps || !tokens)
		say("FAILED work: something never ran");
}

static void step_work(int seconds)
{
	work_start();
	sleep((unsigned int)seconds);
	work_stop();
}

/* ---- CPUs off and on ---- */

static bool set_online(int cpu, bool online)
{
	char path[64];
	bool ok;
	int fd;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	fd = open(path, O_WRONLY);
	ok = fd >= 0 && write(fd, online ? "1" : "0", 1) == 1;
	if (!ok)
		say("FAILED to take CPU %d %s: %s", cpu, online ? "online" : "offline",
		    strerror(errno));
	if (fd >= 0)
		close(fd);
	return ok;
}

static void step_hotplug(int times)
{
	int others = nr_cpus() - 1, done = 0;

	work_start();
	for (int i = 0; i < times && others > 0; i++) {
		int cpu = 1 + i % others;

		done += set_online(cpu, false) && set_online(cpu, true);
	}
	work_stop();
	say("hotplug: %d of %d times offline and online", done, times);
	if (done != times)
		say("FAILED hotplug");
}

/* ---- counters ---- */

/* "  5:  0  976  xen-percpu  -virq  timer1" -> "agent: irq 5 timer1 976", event channels only. */
static void print_irq(char *line)
{
	char *save, *word = strtok_r(line, " ", &save), *last = word;
	unsigned long count = 0;
	bool is_xen = false, counting = true;
	int irq = word ? atoi(word) : 0;

	while ((word = strtok_r(NULL, " ", &save))) {
		counting = counting && word[strspn(word, "0123456789")] == '\0';
		if (counting)
			count += strtoul(word, NULL, 10);
		is_xen |= !strncmp(word, "xen-", 4);
		last = word;
	}
	if (is_xen)
		say("irq %d %s %lu", irq, last, count);
}

/*
 * The guest's numbers between two snapshots of the VMM's: a port whose count is the same in both
 * had no event in between, and must have exactly as many interrupts.
 */
static void step_counters(int times)
{
	struct timespec delay = {.tv_nsec = 3000000};
	char *text, *line, *save;

	if (ioperm(COUNTERS_PORT, 1, 1))
		die("ioperm");
	pin(0);
	for (int i = 0; i < times; i++) {
		nanosleep(&delay, NULL);
		outb((unsigned char)(2 * i % 256), COUNTERS_PORT);
		text = slurp("/proc/interrupts");
		outb((unsigned char)((2 * i + 1) % 256), COUNTERS_PORT);
		say("counters %d", 2 * i % 256);
		for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			print_irq(line);
	}
}

/* ---- the rest ---- */

static void step_report(void)
{
	char *line, *save, *text;

	text = slurp("/proc/uptime");
	text[strcspn(text, " ")] = '\0';
	say("user space after %s s", text);
	text = slurp("/sys/devices/system/cpu/online");
	text[strcspn(text, "\n")] = '\0';
	say("CPUs online: %s", text);
	text = slurp("/proc/interrupts");
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strstr(line, "xen-") || strstr(line, "CPU0"))
			say("| %s", line);
}

static void sysrq(char key)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY);

	if (fd < 0 || write(fd, &key, 1) != 1)
		die("sysrq");
}

static void step(char *text);

static void step_ask(void)
{
	char line[128];
	size_t n = 0;

	say("asks");
	while (n < sizeof(line) - 1 && read(STDIN_FILENO, line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n] = '\0';
	step(line);
}

static void step(char *text)
{
	char *colon = strchr(text, ':');
	int n = colon ? atoi(colon + 1) : 1;

	text[strcspn(text, ":")] = '\0';
	if (!strcmp(text, "report"))
		step_report();
	else if (!strcmp(text, "work"))
		step_work(n);
	else if (!strcmp(text, "hotplug"))
		step_hotplug(n);
	else if (!strcmp(text, "counters"))
		step_counters(n);
	else if (!strcmp(text, "ask"))
		step_ask();
	else if (!strcmp(text, "poweroff"))
		reboot(RB_POWER_OFF);
	else if (!strcmp(text, "reboot"))
		reboot(RB_AUTOBOOT);
	else if (!strcmp(text, "panic"))
		sysrq('c');
	else
		say("FAILED: unknown step %s", text);
	say("done %s", text);
}

int main(void)
{
	char steps[512] = "report,poweroff", *at, *save;

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	at = strstr(slurp("/proc/cmdline"), "upcall.test=");
	if (at)
		snprintf(steps, sizeof(steps), "%.*s", (int)strcspn(at + 12, " \n"), at + 12);
	for (at = strtok_r(steps, ",", &save); at; at = strtok_r(NULL, ",", &save))
		step(at);
	say("FAILED: no step ended the machine");
	reboot(RB_POWER_OFF);
	return 0;
}
