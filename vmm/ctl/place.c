/* SPDX-License-Identifier: MIT */
#include "vmm/ctl/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_TRIED 999
#define BACKLOG	    16

bool uc_ctl_name_valid(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";
	size_t length = strspn(name, allowed);

	return !name[length] && length && length <= UC_CTL_NAME_MAX && name[0] != '.' &&
	       name[0] != '-';
}

static enum uc_exit status_for(bool create)
{
	return create ? UC_EXIT_INTERNAL : UC_EXIT_CTL;
}

/* ---- the directory ---- */

static bool is_own_dir(const char *path)
{
	struct stat st;

	return path && path[0] == '/' && !stat(path, &st) && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid();
}

static int dir_path(char dir[UC_CTL_PATH_SIZE], enum uc_exit status, struct uc_diag *diag)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int n;

	if (is_own_dir(runtime))
		n = snprintf(dir, UC_CTL_PATH_SIZE, "%s/upcall", runtime);
	else if (geteuid() == 0)
		n = snprintf(dir, UC_CTL_PATH_SIZE, "/run/upcall");
	else
		n = snprintf(dir, UC_CTL_PATH_SIZE, "/tmp/upcall-%u", (unsigned int)geteuid());
	if (n >= (int)UC_CTL_PATH_SIZE)
		return uc_fail(diag, status, ENAMETOOLONG,
			       "XDG_RUNTIME_DIR is too long for a socket's path (%d bytes at "
			       "most); set it to a shorter one",
			       (int)UC_CTL_PATH_SIZE - 1);
	return 0;
}

/* In a directory that everyone may write to (/tmp) another user may have been there first. */
static int check_dir(const char *dir, enum uc_exit status, struct uc_diag *diag)
{
	struct stat st;

	if (lstat(dir, &st))
		return errno == ENOENT
			       ? -ENOENT
			       : uc_fail(diag, status, errno, "%s: %s", dir, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return uc_fail(diag, status, ENOTDIR, "%s is no directory; remove it", dir);
	if (st.st_uid != geteuid())
		return uc_fail(diag, status, EPERM,
			       "%s belongs to another user; set XDG_RUNTIME_DIR to a directory of "
			       "your own",
			       dir);
	if (st.st_mode & 077)
		return uc_fail(diag, status, EPERM,
			       "others may enter %s; make it private with `chmod 700 %s`", dir,
			       dir);
	return 0;
}

int uc_ctl_dir(char dir[UC_CTL_PATH_SIZE], bool create, struct uc_diag *diag)
{
	int rc = dir_path(dir, status_for(create), diag);

	if (rc)
		return rc;
	if (create && mkdir(dir, 0700) && errno != EEXIST)
		return uc_fail(diag, UC_EXIT_INTERNAL, errno,
			       "cannot make %s for the control socket: %s; set XDG_RUNTIME_DIR to "
			       "a directory of your own",
			       dir, strerror(errno));
	return check_dir(dir, status_for(create), diag);
}

static int file_path(char *path, const char *dir, const char *name, const char *suffix,
		     struct uc_diag *diag)
{
	if (snprintf(path, UC_CTL_PATH_SIZE, "%s/%s.%s", dir, name, suffix) < (int)UC_CTL_PATH_SIZE)
		return 0;
	return uc_fail(diag, UC_EXIT_USAGE, ENAMETOOLONG,
		       "%s/%s.%s is longer than a socket's path may be (%d bytes); give a shorter "
		       "name or a shorter XDG_RUNTIME_DIR",
		       dir, name, suffix, (int)UC_CTL_PATH_SIZE - 1);
}

int uc_ctl_address(struct sockaddr_un *addr, const char *dir, const char *name,
		   struct uc_diag *diag)
{
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	return file_path(addr->sun_path, dir, name, "sock", diag);
}

/* ---- a name ---- */

/* Is `fd` still the file that `path` names? Its last holder may have removed it after our open. */
static bool is_at(int fd, const char *path)
{
	struct stat ours, there;

	return !fstat(fd, &ours) && !lstat(path, &there) && ours.st_ino == there.st_ino &&
	       ours.st_dev == there.st_dev;
}

/* A descriptor that holds the lock; -EWOULDBLOCK when another has it. */
static int take_lock(const char *path)
{
	for (;;) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB)) {
			int err = errno;

			close(fd);
			return -err;
		}
		if (is_at(fd, path))
			return fd;
		close(fd);
	}
}

static int open_socket(struct uc_ctl_claim *claim, struct uc_diag *diag)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* We hold the lock: a socket that is there is a dead machine's. */
	unlink(claim->addr.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&claim->addr, sizeof(claim->addr)) ||
	    listen(fd, BACKLOG)) {
		int err = errno;

		if (fd >= 0)
			close(fd);
		return uc_fail(diag, UC_EXIT_INTERNAL, err, "control socket %s: %s",
			       claim->addr.sun_path, strerror(err));
	}
	claim->listen_fd = fd;
	return 0;
}

static int claim_one(struct uc_ctl_claim *claim, const char *dir, const char *name,
		     struct uc_diag *diag)
{
	int rc = uc_ctl_address(&claim->addr, dir, name, diag);

	if (!rc)
		rc = file_path(claim->lock_path, dir, name, "lock", diag);
	if (rc)
		return rc;
	snprintf(claim->name, sizeof(claim->name), "%s", name);
	claim->lock_fd = take_lock(claim->lock_path);
	if (claim->lock_fd == -EWOULDBLOCK)
		return -EADDRINUSE;
	if (claim->lock_fd < 0)
		return uc_fail(diag, UC_EXIT_INTERNAL, -claim->lock_fd, "%s: %s", claim->lock_path,
			       strerror(-claim->lock_fd));
	rc = open_socket(claim, diag);
	if (rc)
		uc_ctl_unclaim(claim);
	return rc;
}

static int claim_default(struct uc_ctl_claim *claim, const char *dir, struct uc_diag *diag)
{
	int rc = claim_one(claim, dir, UC_CTL_NAME_DEFAULT, diag);
	char name[UC_CTL_NAME_MAX + 1];

	for (int i = 2; rc == -EADDRINUSE && i <= NAMES_TRIED; i++) {
		snprintf(name, sizeof(name), UC_CTL_NAME_DEFAULT "-%d", i);
		rc = claim_one(claim, dir, name, diag);
	}
	return rc;
}

int uc_ctl_claim(struct uc_ctl_claim *claim, const char *name, struct uc_diag *diag)
{
	char dir[UC_CTL_PATH_SIZE];
	int rc;

	*claim = (struct uc_ctl_claim){.lock_fd = -1, .listen_fd = -1};
	if (name && !uc_ctl_name_valid(name))
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "a machine's name is 1 to %d letters, digits, '-', '_' or '.', and "
			       "starts with a letter, digit or '_'",
			       UC_CTL_NAME_MAX);
	rc = uc_ctl_dir(dir, true, diag);
	if (!rc)
		rc = name ? claim_one(claim, dir, name, diag) : claim_default(claim, dir, diag);
	if (rc == -EADDRINUSE)
		uc_fail(diag, UC_EXIT_USAGE, EADDRINUSE,
			"a machine named %s is running already; give this one another --name",
			name ? name : UC_CTL_NAME_DEFAULT);
	return rc;
}

void uc_ctl_unclaim(struct uc_ctl_claim *claim)
{
	if (claim->listen_fd >= 0) {
		unlink(claim->addr.sun_path);
		close(claim->listen_fd);
	}
	if (claim->lock_fd >= 0) {
		/* While it is held, so that nobody's lock on a new file is meant. */
		unlink(claim->lock_path);
		close(claim->lock_fd);
	}
	claim->listen_fd = claim->lock_fd = -1;
}
