/* SPDX-License-Identifier: MIT */
/* The job's way into the lab: its words, environment and files; see job.c. Called by session.c. */
#ifndef UPCALL_LAB_JOB_H
#define UPCALL_LAB_JOB_H

#include <sys/ioctl.h>

#include "lab/lab.h"

#define UC_LAB_FILES_MAX 64

struct uc_lab_files {
	int fd[UC_LAB_FILES_MAX]; /* -1: a device, which the lab has itself */
	const struct uc_lab_job *job;
};

/* Opens every file, before any machine starts; says in one line what cannot be read. */
int uc_lab_files_open(struct uc_lab_files *files, const struct uc_lab_job *job,
		      struct uc_diag *diag);
/*
 * Sends the whole job; blocks until the lab takes it. `tty`: the size of the terminal that the
 * command is to get, or NULL. 0, -EPIPE when the lab is gone, -errno when a file cannot be read.
 */
int uc_lab_job_send(int ctl, const struct uc_lab_files *files, const struct winsize *tty);

#endif
