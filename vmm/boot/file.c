/* SPDX-License-Identifier: MIT */
/*
 * Opening and reading what --kernel and --initrd name. Read, not mapped: a file that another
 * process truncates then gives an error where a mapping would give SIGBUS.
 */
#include "vmm/boot/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_kind(struct uc_file *f, struct uc_diag *diag)
{
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		return uc_fail(diag, f->status, errno, "cannot stat %s %s: %s", f->what, f->path,
			       strerror(errno));
	if (!S_ISREG(st.st_mode))
		return uc_fail(diag, f->status, S_ISDIR(st.st_mode) ? EISDIR : EINVAL,
			       "%s %s is not a regular file: name the file itself", f->what,
			       f->path);
	if (st.st_size == 0)
		return uc_fail(diag, f->status, ENODATA, "%s %s is empty", f->what, f->path);
	f->size = (uint64_t)st.st_size;
	return 0;
}

int uc_file_open(struct uc_file *f, struct uc_diag *diag)
{
	int err;

	/* O_NONBLOCK: opening a FIFO must not wait for its writer; regular files ignore it. */
	f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (f->fd < 0)
		return uc_fail(diag, f->status, errno, "cannot open %s %s: %s", f->what, f->path,
			       strerror(errno));
	err = check_kind(f, diag);
	if (err)
		uc_file_close(f);
	return err;
}

int uc_file_read(const struct uc_file *f, uint8_t *to, struct uc_diag *diag)
{
	uint64_t done = 0;

	while (done < f->size) {
		ssize_t n = pread(f->fd, to + done, f->size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return uc_fail(diag, f->status, errno, "cannot read %s %s: %s", f->what,
				       f->path, strerror(errno));
		if (n == 0)
			return uc_fail(diag, f->status, ENODATA,
				       "%s %s shrank while it was read: start again", f->what,
				       f->path);
		done += (uint64_t)n;
	}
	return 0;
}

void uc_file_close(struct uc_file *f)
{
	close(f->fd);
	f->fd = -1;
}
