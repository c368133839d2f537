/* SPDX-License-Identifier: MIT */
/*
 * `upcall doctor`: what this machine has, what it lacks, and what will be used. Facts are
 * gathered first, into one list, and printed from it as text or JSON.
 */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/cli.h"
#include "lab/lab.h"
#include "lab/qemu.h"
#include "vmm/kvm/probe.h"

#define FACTS_MAX 16

struct fact {
	const char *name;
	char text[512];
	bool bad; /* guests cannot run natively, or the lab cannot start, because of it */
};

struct report {
	struct fact facts[FACTS_MAX];
	unsigned int count;
	bool native, lab;
	struct uc_diag why_not; /* why not natively */
};

static bool as_json;

static const struct uc_opt opts[] = {
	{"json", UC_OPT_FLAG, NULL, "print JSON", &as_json},
	{NULL},
};

static void __attribute__((format(printf, 4, 5)))
add(struct report *r, const char *name, bool bad, const char *fmt, ...)
{
	struct fact *fact = &r->facts[r->count++];
	va_list ap;

	fact->name = name;
	fact->bad = bad;
	va_start(ap, fmt);
	vsnprintf(fact->text, sizeof(fact->text), fmt, ap);
	va_end(ap);
}

static void add_machine(struct report *r)
{
	struct utsname u;
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	uname(&u);
	add(r, "kernel", false, "%s", u.release);
	add(r, "cpus", false, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
	add(r, "memory", false, "%llu MiB", (unsigned long long)(memory >> 20));
}

static void add_kvm(struct report *r)
{
	struct uc_kvm_probe p;
	char names[256];

	uc_kvm_probe(&p);
	add(r, "cpu virtualization", !p.svm && !p.vmx, "%s",
	    p.svm ? "svm" : (p.vmx ? "vmx" : "neither svm nor vmx"));
	if (p.open_error)
		add(r, "/dev/kvm", true, "%s", strerror(p.open_error));
	else if (p.api_version < 0)
		add(r, "/dev/kvm", true, "not KVM");
	else
		add(r, "/dev/kvm", false, "accessible, API version %d", p.api_version);
	uc_kvm_xen_names(p.xen_hvm, names, sizeof(names));
	add(r, "KVM_CAP_XEN_HVM", p.xen_missing, "0x%x: %s", p.xen_hvm, names);
	if (p.xen_missing) {
		uc_kvm_xen_names(p.xen_missing, names, sizeof(names));
		add(r, "KVM lacks", true, "%s", names);
	}
	r->native = !uc_kvm_require(&p, &r->why_not);
}

static bool add_tool(struct report *r, const char *name, int missing, const char *path,
		     const char *package)
{
	if (missing)
		add(r, name, !r->native, "missing; apt-get install %s", package);
	else
		add(r, name, false, "%s", path);
	return !missing;
}

static void add_kernel(struct report *r, const char *name, const char *version)
{
	char path[PATH_MAX];
	struct uc_diag diag = {0};

	if (uc_lab_cache_file(version, "release", path, &diag))
		add(r, name, false, "not cached; will be downloaded when needed");
	else
		add(r, name, false, "%.*s", (int)(strrchr(path, '/') - path), path);
}

static void add_qemu(struct report *r)
{
	struct uc_lab_qemu qemu;
	const char *advice = "";

	r->lab = !uc_lab_qemu_find(&qemu);
	if (!r->lab) {
		add_tool(r, "lab: qemu", 1, NULL, "qemu-system-x86");
		return;
	}
	if (qemu.one_cpu)
		advice = qemu.wanting ? ": good for one CPU; a better one will be downloaded when "
					"needed"
				      : ": good for one CPU";
	add(r, "lab: qemu", false, "%.300s (%s)%s", qemu.path,
	    qemu.version[0] ? qemu.version : "unknown version", advice);
}

static void add_lab(struct report *r)
{
	char path[PATH_MAX];
	int missing = uc_lab_busybox(path);

	add_qemu(r);
	r->lab &= add_tool(r, "lab: busybox", missing, path, "busybox-static");
	add_kernel(r, "lab: kernel 6.12", "6.12");
	add_kernel(r, "guest kernel 6.1", "6.1");
}

static const char *verdict(const struct report *r)
{
	return r->native ? "native" : (r->lab ? "lab" : "none");
}

static const char *advice(const struct report *r)
{
	if (r->native)
		return "guests run here: upcall run ...";
	if (r->lab)
		return "guests run in the lab: upcall lab run ...";
	return "guests cannot run here; install what is marked `!` for the lab";
}

static void print_text(const struct report *r)
{
	for (unsigned int i = 0; i < r->count; i++)
		printf("%c %-20s %s\n", r->facts[i].bad ? '!' : ' ', r->facts[i].name,
		       r->facts[i].text);
	printf("  %-20s %s: %s\n", "will be used", verdict(r), advice(r));
	if (!r->native)
		printf("  %-20s %s\n", "because", r->why_not.text);
}

static int print_json(const struct report *r, struct uc_diag *diag)
{
	json_t *root = json_object(), *facts = json_object();
	int rc = 0;

	for (unsigned int i = 0; i < r->count; i++)
		json_object_set_new(
			facts, r->facts[i].name,
			json_pack("{s:s, s:b}", "value", r->facts[i].text, "ok", !r->facts[i].bad));
	json_object_set_new(root, "use", json_string(verdict(r)));
	json_object_set_new(root, "because",
			    r->native ? json_null() : json_string(r->why_not.text));
	json_object_set_new(root, "facts", facts);
	if (json_dumpf(root, stdout, JSON_INDENT(2)) || putchar('\n') == EOF)
		rc = uc_fail(diag, UC_EXIT_INTERNAL, EIO, "cannot write JSON");
	json_decref(root);
	return rc;
}

static int run(int argc, char **argv, int *status, struct uc_diag *diag)
{
	static struct report report;
	int rc = 0;

	(void)argc, (void)argv;
	add_machine(&report);
	add_kvm(&report);
	add_lab(&report);
	if (as_json)
		rc = print_json(&report, diag);
	else
		print_text(&report);
	*status = report.native || report.lab ? UC_EXIT_OK : report.why_not.status;
	return rc;
}

const struct uc_command uc_cmd_doctor = {
	.name = "doctor",
	.args = "",
	.summary = "Print what this machine has for running guests, what it lacks, and what will "
		   "be used.",
	.details = "A line that starts with `!` is something that stands in the way. The exit "
		   "status is 0\n"
		   "when guests can run natively or in the lab, else the one that `upcall run` "
		   "would have\n"
		   "(23: no KVM, 24: a KVM that cannot run these guests).",
	.opts = opts,
	.run = run,
};
