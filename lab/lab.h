/* SPDX-License-Identifier: MIT */
/*
 * The lab: runs a command on a machine with a Xen-capable KVM, emulated by QEMU, where the host
 * has none. docs/lab.md tells how. Called by cli/lab.c and, for what is installed, cli/doctor.c.
 */
#ifndef UPCALL_LAB_LAB_H
#define UPCALL_LAB_LAB_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/diag.h"

/* What the cache holds, by the names that lab/fetch takes; a kernel's is its version. */
#define UC_LAB_KERNEL "6.12" /* the lab's own; Debian's 6.1 has no CONFIG_KVM_XEN */
#define UC_LAB_QEMU   "qemu"

struct uc_lab_config {
	unsigned int cpus; /* 0: one */
	bool virtual_time; /* its clock counts instructions */
	uint64_t memory_bytes;
	const char *log_path; /* keeps the machine's console log, or NULL */
	/* Told once, before the machine starts, when it is less than was hoped for; one line. */
	void (*notice)(const char *line);
};

struct uc_lab_job {
	char *const *argv;	  /* the command, ends with NULL; found by the lab's PATH */
	const char *const *files; /* host files that are to exist in the lab, under the same path */
	size_t nr_files;
};

/*
 * Run `job` on a fresh machine, joined to this process's stdin, stdout and stderr. *status is the
 * command's, or 128 + a signal that ended the lab. One run at a time per process: the signals
 * and the terminal belong to it while it lasts, and its threads may outlive it, blocked in a read
 * of stdin, so the caller is expected to exit soon.
 */
int uc_lab_run(const struct uc_lab_config *config, const struct uc_lab_job *job, int *status,
	       struct uc_diag *diag);

/* The cache directory: $UPCALL_CACHE, else ${XDG_CACHE_HOME:-~/.cache}/upcall. */
int uc_lab_cache(char path[PATH_MAX], struct uc_diag *diag);
/* The path of a cached kernel's file, such as "vmlinuz", or QEMU's; -ENOENT when not there. */
int uc_lab_cache_file(const char *what, const char *name, char path[PATH_MAX],
		      struct uc_diag *diag);
/* Download a kernel or QEMU unless it is cached. */
int uc_lab_fetch(const char *what, struct uc_diag *diag);
/* An executable: the environment variable's value if set, else `name` in PATH. */
int uc_lab_tool(const char *env, const char *name, char path[PATH_MAX]);
#define uc_lab_busybox(path) uc_lab_tool("UPCALL_BUSYBOX", "busybox", path)

#endif
