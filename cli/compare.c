/* SPDX-License-Identifier: MIT */
/*
 * `upcall compare`: makes the guests' initial RAM disk, has this program measure (as a child, here
 * or in the lab), reads its records while they come, and reports. docs/compare.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "compare/initrd.h"
#include "compare/measure/measure.h"
#include "compare/report/report.h"
#include "lab/lab.h"
#include "vmm/kvm/probe.h"
#include "vmm/routing.h"

#define WORD_MAX 24

/* An emulated machine takes about 100 times as long to handle an event as a real one. */
#define LAB_HOST_SLICE_MS 300
#define LAB_SLICE_MS	  100
#define SLICE_MS	  1
#define SLICE_UNSET	  UINT_MAX

static struct uc_compare_config config = {
	.where = "native",
	.version = UC_VERSION,
	.vcpus = 4,
	.host_cpus = 2,
	.io_cpus = 1,
	.slice_ms = SLICE_UNSET,
	.competitors = 1,
	.seconds = 75,
	.window_ms = 2000,
	.rate_hz = 20,
	.seed = 1,
	.memory_bytes = 256ull << 20,
};

static const char *load = "busy", *policies = "pinned,follow", *probes = "icmp,task";
static const char *netfront, *csv, *html, *json, *records;
static bool only_measure;

static const struct uc_opt opts[] = {
	{"kernel", UC_OPT_FILE, "FILE",
	 "kernel of the guests (default: Debian's 6.12 cloud kernel, downloaded once)",
	 &config.kernel},
	{"netfront", UC_OPT_FILE, "FILE",
	 "that kernel's xen-netfront.ko (default: looked for in `modules` beside the kernel and in "
	 "/lib/modules)",
	 &netfront},
	{"cpus", UC_OPT_UINT, "N", "vCPUs of each guest (default: 4)", &config.vcpus, 1, 64},
	{"host-cpus", UC_OPT_UINT, "N", "CPUs that the vCPUs of all guests share (default: 2)",
	 &config.host_cpus, 1, 64},
	{"io-cpus", UC_OPT_UINT, "N",
	 "further CPUs for all that is no vCPU: back ends, timers, who asks; 0: they share those "
	 "of "
	 "the guests (default: 1)",
	 &config.io_cpus, 0, 64},
	{"host-slice", UC_OPT_UINT, "MS",
	 "base time slice of the host's scheduler meanwhile (default: natively as it is, in the "
	 "lab "
	 "300: what is emulated is so much slower than a CPU)",
	 &config.host_slice_ms, 1, 1000},
	{"slice", UC_OPT_UINT, "MS", "as for `upcall run` (default: 1, in the lab 100)",
	 &config.slice_ms, 0, 100},
	{"competitors", UC_OPT_UINT, "N",
	 "guests beside the measured one, each vCPU of theirs busy (default: 1)",
	 &config.competitors, 0, 8},
	{"load", UC_OPT_STR, "WHAT",
	 "the measured guest is busy (a busy task on each vCPU; the default) or idle", &load},
	{"quota", UC_OPT_UINT, "PERCENT",
	 "the measured guest gets at most so much of one CPU, by its cgroup (default: no quota)",
	 &config.quota_percent, 1, 6400},
	{"policies", UC_OPT_STR, "LIST",
	 "what is compared, the first with the others (default: pinned,follow)", &policies},
	{"probes", UC_OPT_STR, "LIST",
	 "icmp (the guest's kernel answers), task (a task in it does, over UDP), tcp (request and "
	 "response on a connection), http (pages of a web server) (default: icmp,task)",
	 &probes},
	{"rate", UC_OPT_UINT, "HZ", "requests in a second, at random times (default: 20)",
	 &config.rate_hz, 1, 100000},
	{"seconds", UC_OPT_UINT, "N",
	 "time to measure, a fifth of it for the idle floor (default: 75)", &config.seconds, 1,
	 86400},
	{"window", UC_OPT_UINT, "MS", "time between changes of the policy (default: 2000)",
	 &config.window_ms, 100, 60000},
	{"seed", UC_OPT_UINT, "N", "of the random times and orders (default: 1)", &config.seed, 0,
	 UINT32_MAX},
	{"memory", UC_OPT_SIZE, "SIZE", "of each guest (default: 256M)", &config.memory_bytes,
	 128ull << 20, 64ull << 30},
	{"csv", UC_OPT_STR, "FILE", "write every request and its latency", &csv},
	{"html", UC_OPT_STR, "FILE", "write a report with plots", &html},
	{"json", UC_OPT_STR, "FILE", "write all results", &json},
	{"records", UC_OPT_STR, "FILE", "keep the raw records", &records},
	{"initrd", UC_OPT_FILE, "FILE", "initial RAM disk of the guests (default: made)",
	 &config.initrd},
	{"measure", UC_OPT_FLAG, NULL, "only measure, here, and print the raw records",
	 &only_measure},
	{"trace", UC_OPT_STR, "FILE",
	 "the measured guest's trace, for `upcall trace` (with --measure)", &config.trace},
	{"where", UC_OPT_STR, "TEXT", "what the records say of the place (with --measure)",
	 &config.where},
	{NULL},
};

/* ---- lists ---- */

/* The next word of a comma-separated list; NULL at its end, "" for one that is too long. */
static const char *next_word(const char **list, char word[WORD_MAX])
{
	size_t len = strcspn(*list, ",");

	if (!**list)
		return NULL;
	snprintf(word, WORD_MAX, "%.*s", len < WORD_MAX ? (int)len : 0, *list);
	*list += len + ((*list)[len] == ',');
	return word;
}

static int parse_policies(struct uc_diag *diag)
{
	const char *at = policies;
	char word[WORD_MAX];
	enum uc_policy policy;

	for (int n = 0; next_word(&at, word); n++) {
		if (uc_policy_parse(word, &policy) || n == UC_COMPARE_POLICIES_MAX)
			return uc_fail(
				diag, UC_EXIT_USAGE, EINVAL,
				"--policies %s: give up to %d of pinned, follow, round-robin, "
				"random",
				policies, UC_COMPARE_POLICIES_MAX);
		for (int i = 0; i < n; i++)
			if (!strcmp(config.policies[i], word))
				return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
					       "--policies %s: %s is there twice", policies, word);
		config.policies[n] = uc_policy_name(policy);
	}
	return config.policies[0] ? 0
				  : uc_fail(diag, UC_EXIT_USAGE, EINVAL, "--policies: none given");
}

static int parse_probes(struct uc_diag *diag)
{
	const char *at = probes;
	char word[WORD_MAX];
	bool any = false;

	while (next_word(&at, word)) {
		int probe = 0;

		while (probe < UC_PROBES && strcmp(word, uc_probe_name((enum uc_probe)probe)))
			probe++;
		if (probe == UC_PROBES)
			return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
				       "--probes %s: give some of icmp, task, tcp, http", probes);
		config.probes[probe] = any = true;
	}
	return any ? 0 : uc_fail(diag, UC_EXIT_USAGE, EINVAL, "--probes: none given");
}

static int parse_words(struct uc_diag *diag)
{
	int rc = parse_policies(diag);

	if (!rc)
		rc = parse_probes(diag);
	if (!rc && strcmp(load, "busy") && strcmp(load, "idle"))
		rc = uc_fail(diag, UC_EXIT_USAGE, EINVAL, "--load %s: give busy or idle", load);
	config.idle = !strcmp(load, "idle");
	return rc;
}

/* ---- the measuring child ---- */

static char initrd_path[PATH_MAX]; /* a file of ours, while it is there */

static int find_kernel(struct uc_diag *diag)
{
	static char path[PATH_MAX];
	int rc;

	if (config.kernel)
		return 0;
	rc = uc_lab_fetch(UC_LAB_KERNEL, diag);
	if (!rc)
		rc = uc_lab_cache_file(UC_LAB_KERNEL, "vmlinuz", path, diag);
	config.kernel = path;
	return rc;
}

static void drop_initrd(void)
{
	if (initrd_path[0])
		unlink(initrd_path);
}

/* A ^C leaves nothing behind. */
static void on_signal(int number)
{
	drop_initrd();
	signal(number, SIG_DFL);
	raise(number);
}

static int find_initrd(struct uc_diag *diag)
{
	static char driver[PATH_MAX];
	int rc;

	if (config.initrd)
		return 0;
	/* Without the module the driver is expected to be built in; the guest says if it is not. */
	if (!netfront && !uc_compare_netfront(config.kernel, driver))
		netfront = driver;
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGHUP, on_signal);
	rc = uc_compare_make_initrd(netfront, initrd_path, diag);
	config.initrd = initrd_path;
	return rc;
}

struct words {
	char text[48][PATH_MAX];
	char *argv[49];
	int count;
};

static void __attribute__((format(printf, 2, 3))) add(struct words *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->text[w->count], sizeof(w->text[0]), fmt, ap);
	va_end(ap);
	w->argv[w->count] = w->text[w->count];
	w->argv[++w->count] = NULL;
}

static void add_number(struct words *w, const char *option, unsigned int value)
{
	add(w, "--%s", option);
	add(w, "%u", value);
}

static void add_text(struct words *w, const char *option, const char *value)
{
	add(w, "--%s", option);
	add(w, "%s", value);
}

static void make_words(struct words *w, bool lab)
{
	add(w, "upcall");
	if (lab) {
		add(w, "lab");
		add_number(w, "cpus", config.host_cpus + config.io_cpus);
	}
	add(w, "compare");
	add(w, "--measure");
	add_text(w, "where", lab ? "lab" : "native");
	add_text(w, "kernel", config.kernel);
	add_text(w, "initrd", config.initrd);
	add_text(w, "load", load);
	add_text(w, "policies", policies);
	add_text(w, "probes", probes);
	add_number(w, "cpus", config.vcpus);
	add_number(w, "host-cpus", config.host_cpus);
	add_number(w, "io-cpus", config.io_cpus);
	if (config.host_slice_ms)
		add_number(w, "host-slice", config.host_slice_ms);
	add_number(w, "slice", config.slice_ms);
	add_number(w, "competitors", config.competitors);
	if (config.quota_percent)
		add_number(w, "quota", config.quota_percent);
	add_number(w, "rate", config.rate_hz);
	add_number(w, "seconds", config.seconds);
	add_number(w, "window", config.window_ms);
	add_number(w, "seed", config.seed);
	add(w, "--memory");
	add(w, "%lluM", (unsigned long long)(config.memory_bytes >> 20));
}

static void choose_slices(bool in_lab)
{
	if (in_lab && !config.host_slice_ms)
		config.host_slice_ms = LAB_HOST_SLICE_MS;
	if (config.slice_ms == SLICE_UNSET)
		config.slice_ms = in_lab ? LAB_SLICE_MS : SLICE_MS;
}

static bool needs_lab(void)
{
	struct uc_kvm_probe probe;
	struct uc_diag why = {0};

	uc_kvm_probe(&probe);
	return uc_kvm_require(&probe, &why) != 0;
}

/* The child's standard output, and its pid. */
static FILE *start_child(struct words *w, pid_t *pid)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC))
		return NULL;
	*pid = fork();
	if (!*pid) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
		dup2(pair[1], STDOUT_FILENO);
		execv("/proc/self/exe", w->argv);
		_exit(127);
	}
	close(pair[1]);
	if (*pid > 0)
		return fdopen(pair[0], "r");
	close(pair[0]);
	return NULL;
}

/* ---- what it says ---- */

static void show_progress(const struct uc_records *r)
{
	static const char bar[] = "##############################";
	struct uc_run_progress progress;
	uint64_t parts;

	if (!isatty(STDERR_FILENO) || !uc_records_progress(r, &progress))
		return;
	parts = progress.total_ms ? progress.done_ms * (sizeof(bar) - 1) / progress.total_ms : 0;
	if (parts > sizeof(bar) - 1)
		parts = sizeof(bar) - 1;
	fprintf(stderr, "\r\033[K[%-*.*s] %s", (int)sizeof(bar) - 1, (int)parts, bar,
		progress.text);
}

static void end_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

static int read_records(struct uc_records *r, FILE *from, FILE *keep, struct uc_diag *diag)
{
	char *line = NULL;
	size_t room = 0;
	int rc = 0;

	while (!rc && getline(&line, &room, from) >= 0) {
		if (keep)
			fputs(line, keep);
		rc = uc_records_add(r, line, diag);
		show_progress(r);
	}
	end_progress();
	free(line);
	return rc;
}

/* 1 when the child ended badly and has said why itself: its status is ours. */
static int judge_child(pid_t pid, int *status, struct uc_diag *diag)
{
	int how;

	waitpid(pid, &how, 0);
	if (WIFEXITED(how)) {
		*status = WEXITSTATUS(how);
		return *status != 0;
	}
	return uc_fail(diag, UC_EXIT_INTERNAL, ECHILD, "the measurement was ended by signal %d",
		       WTERMSIG(how));
}

static int measure(struct uc_records *r, bool in_lab, int *status, struct uc_diag *diag)
{
	FILE *keep = NULL, *from;
	struct words *w = calloc(1, sizeof(*w));
	pid_t pid;
	int rc, ended;

	if (!w)
		return -ENOMEM;
	make_words(w, in_lab);
	if (records && !(keep = fopen(records, "we"))) {
		free(w);
		return uc_fail(diag, UC_EXIT_USAGE, errno, "--records %s: %s", records,
			       strerror(errno));
	}
	from = start_child(w, &pid);
	free(w);
	if (!from)
		return uc_fail(diag, UC_EXIT_INTERNAL, errno, "cannot start the measurement: %s",
			       strerror(errno));
	rc = read_records(r, from, keep, diag);
	fclose(from);
	ended = judge_child(pid, status, diag);
	if (keep && fclose(keep) && !rc)
		rc = uc_fail(diag, UC_EXIT_USAGE, EIO, "--records %s: cannot write", records);
	return rc ? rc : ended;
}

/* ---- the reports ---- */

static int write_file(const struct uc_report *report, const char *option, const char *path,
		      int (*write)(const struct uc_report *, FILE *, struct uc_diag *),
		      struct uc_diag *diag)
{
	struct uc_diag why = {0};
	FILE *file;
	int rc;

	if (!path)
		return 0;
	file = fopen(path, "we");
	if (!file)
		return uc_fail(diag, UC_EXIT_USAGE, errno, "--%s %s: %s", option, path,
			       strerror(errno));
	rc = write(report, file, &why);
	if (rc > 0)
		fprintf(stderr, "upcall compare: %s has no plots: %s\n", path, why.text);
	if (fclose(file) && rc >= 0)
		rc = -EIO;
	return rc < 0 ? uc_fail(diag, UC_EXIT_USAGE, -rc, "--%s %s: %s", option, path,
				why.text[0] ? why.text : strerror(-rc))
		      : 0;
}

static int report(const struct uc_records *r, const char *command, struct uc_diag *diag)
{
	const struct uc_report_options options = {.command = command};
	struct uc_report *numbers = uc_report_new(r, &options, diag);
	int rc;

	if (!numbers)
		return -EINVAL;
	rc = uc_report_table(numbers, stdout, diag);
	if (!rc)
		rc = write_file(numbers, "csv", csv, uc_report_csv, diag);
	if (!rc)
		rc = write_file(numbers, "json", json, uc_report_json, diag);
	if (!rc)
		rc = write_file(numbers, "html", html, uc_report_html, diag);
	uc_report_free(numbers);
	return rc;
}

/* What to type for the same again. */
static void describe_command(char *text, size_t size)
{
	int n = snprintf(
		text, size,
		"upcall compare --cpus %u --host-cpus %u --io-cpus %u --competitors %u --load %s "
		"--policies %s --probes %s --rate %u --seconds %u --window %u --seed %u --slice %u",
		config.vcpus, config.host_cpus, config.io_cpus, config.competitors, load, policies,
		probes, config.rate_hz, config.seconds, config.window_ms, config.seed,
		config.slice_ms);

	if (config.host_slice_ms && n > 0 && (size_t)n < size)
		n += snprintf(text + n, size - (size_t)n, " --host-slice %u", config.host_slice_ms);
	if (config.quota_percent && n > 0 && (size_t)n < size)
		snprintf(text + n, size - (size_t)n, " --quota %u", config.quota_percent);
}

static int compare(int *status, struct uc_diag *diag)
{
	struct uc_records *r = uc_records_new();
	bool in_lab = needs_lab();
	char command[1024];
	int rc;

	if (!r)
		return -ENOMEM;
	choose_slices(in_lab);
	describe_command(command, sizeof(command));
	rc = find_kernel(diag);
	if (!rc)
		rc = find_initrd(diag);
	if (!rc)
		rc = measure(r, in_lab, status, diag);
	drop_initrd();
	if (!rc)
		rc = uc_records_finish(r, diag);
	if (!rc)
		rc = report(r, command, diag);
	uc_records_free(r);
	return rc < 0 ? rc : 0;
}

static int check_file(const char *option, const char *path, struct uc_diag *diag)
{
	if (!path || !access(path, R_OK))
		return 0;
	return uc_fail(diag, UC_EXIT_USAGE, errno, "--%s %s: %s", option, path, strerror(errno));
}

static int check_files(struct uc_diag *diag)
{
	int rc = check_file("kernel", config.kernel, diag);

	if (!rc)
		rc = check_file("initrd", config.initrd, diag);
	return rc ? rc : check_file("netfront", netfront, diag);
}

static int run(int argc, char **argv, int *status, struct uc_diag *diag)
{
	struct uc_diag why = {0};
	int rc = parse_words(diag);

	(void)argc, (void)argv;
	if (!rc)
		rc = check_files(diag);
	if (rc || !only_measure)
		return rc ? rc : compare(status, diag);
	if (!config.kernel || !config.initrd)
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "--measure needs --kernel and --initrd");
	/* What went wrong is in the records. */
	if (uc_compare_measure(&config, stdout, &why))
		*status = why.status ? why.status : UC_EXIT_INTERNAL;
	return 0;
}

const struct uc_command uc_cmd_compare = {
	.name = "compare",
	.args = "",
	.summary = "measure how long a guest takes to answer, by policy, in one run",
	.details =
		"Boots a guest and others that compete with it for the CPUs, sends it requests "
		"over\n"
		"the network at random times, and changes the policy of its event channels in "
		"random\n"
		"order in that same guest. Prints for each policy the latencies, how far they are "
		"above\n"
		"those of an idle guest, and what they cost; docs/compare.md tells how to read "
		"it.\n"
		"Where guests cannot run natively it all happens in the lab. Natively it needs "
		"root.\n"
		"\n"
		"  upcall compare --html report.html\n"
		"  upcall compare --load idle --competitors 2 --probes icmp,tcp\n"
		"\n"
		"Status 0: measured, whatever the result. Otherwise that of `upcall run` or "
		"`upcall\n"
		"lab`; 32 (the lab's machine died) is worth another try.",
	.opts = opts,
	.run = run,
};
