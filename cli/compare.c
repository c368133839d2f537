/* SPDX-License-Identifier: MIT */
/*
 * `upcall compare`: makes the guests' initial RAM disk, has this program measure (as a child, here
 * or in the lab), reads its records while they come, and reports. docs/compare.md.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/compare.h"
#include "compare/initrd.h"
#include "lab/lab.h"
#include "vmm/kvm/probe.h"

#define BOOST_UNSET UINT_MAX

static struct uc_compare_asked asked = {
	.config =
		{
			.where = "native",
			.version = UC_VERSION,
			.vcpus = 4,
			.host_cpus = 2,
			.io_cpus = 1,
			.slice_ms = 1,
			.boost_us = BOOST_UNSET,
			.competitors = 1,
			.seconds = 10,
			.window_ms = 250,
			.rate_hz = 200,
			.seed = 1,
			.memory_bytes = 256ull << 20,
		},
	.load = "busy",
	.policies = "pinned,follow",
	.probes = "icmp,task",
};

static const struct uc_opt opts[] = {
	{"kernel", UC_OPT_FILE, "FILE",
	 "kernel of the guests (default: Debian's 6.12 cloud kernel, downloaded once)",
	 &asked.config.kernel},
	{"netfront", UC_OPT_FILE, "FILE",
	 "that kernel's xen-netfront.ko (default: looked for in `modules` beside the kernel and in "
	 "/lib/modules)",
	 &asked.netfront},
	{"cpus", UC_OPT_UINT, "N", "vCPUs of each guest (default: 4)", &asked.config.vcpus, 1, 64},
	{"host-cpus", UC_OPT_UINT, "N", "CPUs that the vCPUs of all guests share (default: 2)",
	 &asked.config.host_cpus, 1, 64},
	{"io-cpus", UC_OPT_UINT, "N",
	 "further CPUs for all that is no vCPU: back ends, timers, who asks; 0: they share those "
	 "of "
	 "the guests (default: 1)",
	 &asked.config.io_cpus, 0, 64},
	{"slice", UC_OPT_UINT, "MS", "as for `upcall run` (default: 1)", &asked.config.slice_ms, 0,
	 100},
	{"boost", UC_OPT_UINT, "US",
	 "as for `upcall run` (default: 100; in the lab so much for each of its CPUs, which share "
	 "one "
	 "clock)",
	 &asked.config.boost_us, 0, UC_BOOST_MAX_US},
	{"competitors", UC_OPT_UINT, "N",
	 "guests beside the measured one, each vCPU of theirs busy (default: 1)",
	 &asked.config.competitors, 0, 8},
	{"load", UC_OPT_STR, "WHAT",
	 "the measured guest is busy (a busy task on each vCPU; the default) or idle", &asked.load},
	{"quota", UC_OPT_UINT, "PERCENT",
	 "the measured guest gets at most so much of one CPU, by its cgroup (default: no quota)",
	 &asked.config.quota_percent, 1, 6400},
	{"policies", UC_OPT_STR, "LIST",
	 "what is compared, the first with the others (default: pinned,follow)", &asked.policies},
	{"probes", UC_OPT_STR, "LIST",
	 "icmp (the guest's kernel answers), task (a task in it does, over UDP), tcp (request and "
	 "response on a connection), http (pages of a web server) (default: icmp,task)",
	 &asked.probes},
	{"rate", UC_OPT_UINT, "HZ", "requests in a second, at random times (default: 200)",
	 &asked.config.rate_hz, 1, 100000},
	{"seconds", UC_OPT_UINT, "N",
	 "time to measure, a fifth of it for the idle floor (default: 10)", &asked.config.seconds,
	 1, 86400},
	{"window", UC_OPT_UINT, "MS", "time between changes of the policy (default: 250)",
	 &asked.config.window_ms, 100, 60000},
	{"seed", UC_OPT_UINT, "N", "of the random times and orders (default: 1)",
	 &asked.config.seed, 0, UINT32_MAX},
	{"memory", UC_OPT_SIZE, "SIZE", "of each guest (default: 256M)", &asked.config.memory_bytes,
	 128ull << 20, 64ull << 30},
	{"csv", UC_OPT_STR, "FILE", "write every request and its latency", &asked.csv},
	{"html", UC_OPT_STR, "FILE", "write a report with plots", &asked.html},
	{"json", UC_OPT_STR, "FILE", "write all results", &asked.json},
	{"records", UC_OPT_STR, "FILE", "keep the raw records", &asked.records},
	{"initrd", UC_OPT_FILE, "FILE", "initial RAM disk of the guests (default: made)",
	 &asked.config.initrd},
	{"measure", UC_OPT_FLAG, NULL, "only measure, here, and print the raw records",
	 &asked.only_measure},
	{"trace", UC_OPT_STR, "FILE",
	 "the measured guest's trace, for `upcall trace` (with --measure)", &asked.config.trace},
	{"where", UC_OPT_STR, "TEXT", "what the records say of the place (with --measure)",
	 &asked.config.where},
	{NULL},
};

/* ---- what the child needs ---- */

static char initrd_path[PATH_MAX]; /* a file of ours, while it is there */

/* The initial RAM disk gets this machine's busybox, if there is one; only one probe needs it. */
static int check_web_server(struct uc_diag *diag)
{
	char path[PATH_MAX];

	if (!asked.config.probes[UC_PROBE_HTTP] || asked.config.initrd || !uc_lab_busybox(path))
		return 0;
	return uc_fail(diag, UC_EXIT_LAB_TOOL, ENOENT,
		       "--probes http needs busybox, the guest's web server; install it: "
		       "apt-get install busybox-static");
}

static int find_kernel(struct uc_diag *diag)
{
	static char path[PATH_MAX];
	int rc;

	if (asked.config.kernel)
		return 0;
	rc = uc_lab_fetch(UC_LAB_KERNEL, diag);
	if (!rc)
		rc = uc_lab_cache_file(UC_LAB_KERNEL, "vmlinuz", path, diag);
	asked.config.kernel = path;
	return rc;
}

static int find_initrd(struct uc_diag *diag)
{
	static char driver[PATH_MAX];
	int rc;

	uc_compare_catch_signals(initrd_path);
	if (asked.config.initrd)
		return 0;
	/* Without the module the driver is expected to be built in; the guest says if it is not. */
	if (!asked.netfront && !uc_compare_netfront(asked.config.kernel, driver))
		asked.netfront = driver;
	rc = uc_compare_make_initrd(asked.netfront, initrd_path, diag);
	asked.config.initrd = initrd_path;
	return rc;
}

static bool needs_lab(void)
{
	struct uc_kvm_probe probe;
	struct uc_diag why = {0};

	uc_kvm_probe(&probe);
	return uc_kvm_require(&probe, &why) != 0;
}

static int measure(struct uc_records *r, bool in_lab, int *status, struct uc_diag *diag)
{
	struct uc_compare_line *line = calloc(1, sizeof(*line));
	FILE *keep = NULL;
	int rc;

	if (!line)
		return -ENOMEM;
	uc_compare_make_line(line, &asked, in_lab);
	if (asked.records && !(keep = fopen(asked.records, "we"))) {
		free(line);
		return uc_fail(diag, UC_EXIT_USAGE, errno, "--records %s: %s", asked.records,
			       strerror(errno));
	}
	if (keep)
		setvbuf(keep, NULL, _IOLBF, 0); /* what was measured is there, whatever comes */
	rc = uc_compare_run_child(line->argv, r, keep, status, diag);
	free(line);
	if (keep && fclose(keep) && !rc)
		rc = uc_fail(diag, UC_EXIT_USAGE, EIO, "--records %s: cannot write", asked.records);
	return rc;
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
		rc = write_file(numbers, "csv", asked.csv, uc_report_csv, diag);
	if (!rc)
		rc = write_file(numbers, "json", asked.json, uc_report_json, diag);
	if (!rc)
		rc = write_file(numbers, "html", asked.html, uc_report_html, diag);
	uc_report_free(numbers);
	return rc;
}

static void choose_boost(bool in_lab)
{
	const struct uc_compare_config *c = &asked.config;

	if (c->boost_us == BOOST_UNSET)
		asked.config.boost_us = UC_BOOST_DEFAULT_US *
					(in_lab ? c->host_cpus + c->io_cpus : 1);
}

static int compare(int *status, struct uc_diag *diag)
{
	struct uc_records *r = uc_records_new();
	bool in_lab = needs_lab();
	char command[1024];
	int rc;

	if (!r)
		return -ENOMEM;
	choose_boost(in_lab);
	uc_compare_describe(&asked, command, sizeof(command));
	rc = check_web_server(diag);
	if (!rc)
		rc = find_kernel(diag);
	if (!rc)
		rc = find_initrd(diag);
	if (!rc)
		rc = measure(r, in_lab, status, diag);
	if (initrd_path[0])
		unlink(initrd_path);
	uc_compare_end_if_told();
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
	int rc = check_file("kernel", asked.config.kernel, diag);

	if (!rc)
		rc = check_file("initrd", asked.config.initrd, diag);
	return rc ? rc : check_file("netfront", asked.netfront, diag);
}

static int run(int argc, char **argv, int *status, struct uc_diag *diag)
{
	struct uc_diag why = {0};
	int rc = uc_compare_parse_words(&asked, diag);

	(void)argc, (void)argv;
	if (!rc)
		rc = check_files(diag);
	if (rc || !asked.only_measure)
		return rc ? rc : compare(status, diag);
	if (!asked.config.kernel || !asked.config.initrd)
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "--measure needs --kernel and --initrd");
	choose_boost(false);
	/* What went wrong is in the records. */
	if (uc_compare_measure(&asked.config, stdout, &why))
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
