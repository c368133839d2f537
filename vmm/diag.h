/* SPDX-License-Identifier: MIT */
/*
 * Errors as a person meets them. A function that can fail for a reason outside this program
 * takes a `struct uc_diag *`, fills it once with uc_fail() and returns the -errno; the edge
 * (cli/) prints the text and exits with the status. Nothing below the edge prints.
 */
#ifndef UPCALL_VMM_DIAG_H
#define UPCALL_VMM_DIAG_H

/* Exit statuses; the table in docs/exit-status.md and the man page says the same. */
enum uc_exit {
	UC_EXIT_OK = 0,		   /* guest powered off */
	UC_EXIT_USAGE = 2,	   /* malformed option or argument */
	UC_EXIT_REBOOT = 10,	   /* guest asked for a reboot under --no-reboot */
	UC_EXIT_CRASH = 11,	   /* guest reported a crash (panic) */
	UC_EXIT_TRIPLE_FAULT = 12, /* guest vCPU shut down by a triple fault */
	UC_EXIT_WATCHDOG = 13,	   /* guest reported a watchdog time-out */
	UC_EXIT_INTERNAL = 20,	   /* the VMM failed: a bug or a host resource */
	UC_EXIT_KERNEL = 21,	   /* --kernel is not a kernel that can be booted */
	UC_EXIT_INITRD = 22,	   /* --initrd unreadable or does not fit */
	UC_EXIT_NO_KVM = 23,	   /* /dev/kvm missing or not accessible */
	UC_EXIT_KVM_CAP = 24,	   /* KVM is there but cannot run these guests */
	UC_EXIT_MEMORY = 25,	   /* --memory cannot be had or is too small for the kernel */
	UC_EXIT_LAB_TOOL = 30,	   /* no qemu (or another tool) for the lab */
	UC_EXIT_LAB_FETCH = 31,	   /* the lab's kernel is not cached and cannot be downloaded */
	UC_EXIT_LAB_HOST = 32,	   /* the lab's machine died (its host kernel, not the product) */
	UC_EXIT_CTL = 40,	   /* the machine is not there, or refused the request */
};

struct uc_diag {
	int status;	/* enum uc_exit */
	char text[512]; /* one line, no newline: what was wrong, and what to do */
};

/* Fill `diag` (the first failure wins) and return `-err`. */
int uc_fail(struct uc_diag *diag, enum uc_exit status, int err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
