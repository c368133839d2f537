/* SPDX-License-Identifier: MIT */
/*
 * Builds the lab's initramfs and caches it: the agent as /init, busybox, the modules of the lab's
 * kernel that KVM needs, and the running upcall binary with the libraries that it is linked to.
 * It does not depend on the job, so one archive serves every run of one binary.
 *
 * It keeps true: a cached archive was made from exactly the files that are there now (its name
 * hashes their identities), and a name in the cache always stands for a whole archive: the file
 * gets its name when it is complete. So any number of runs may start at once.
 */
#include "lab/initramfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/cpio.h"
#include "lab/lab.h"

#define SOURCES_MAX 64
#define KEPT	    6 /* archives that stay in the cache: one per binary used lately, 10 MB each */

extern const char uc_lab_agent_start[], uc_lab_agent_end[];

/* In load order; tun is for `upcall run --net tap=NAME`. */
static const char *const modules[] = {
	"kernel/virt/lib/irqbypass.ko",
	"kernel/arch/x86/kvm/kvm.ko",
	"kernel/arch/x86/kvm/kvm-amd.ko",
	"kernel/drivers/net/tun.ko",
};

struct source {
	char from[PATH_MAX]; /* on the host */
	char to[PATH_MAX];   /* in the lab */
};

struct sources {
	struct source list[SOURCES_MAX];
	size_t count;
	uint64_t hash; /* FNV-1a of what the archive is made from */
};

static void hash_bytes(struct sources *s, const void *data, size_t len)
{
	const unsigned char *byte = data;

	for (size_t i = 0; i < len; i++)
		s->hash = (s->hash ^ byte[i]) * 0x100000001b3ull;
}

static int add_source(struct sources *s, const char *from, const char *to)
{
	struct source *src = &s->list[s->count];
	struct stat st;

	if (s->count == SOURCES_MAX)
		return -E2BIG;
	if (stat(from, &st))
		return -errno;
	snprintf(src->from, sizeof(src->from), "%s", from);
	snprintf(src->to, sizeof(src->to), "%s", to);
	s->count++;
	hash_bytes(s, to, strlen(to));
	hash_bytes(s, &st.st_dev, sizeof(st.st_dev));
	hash_bytes(s, &st.st_ino, sizeof(st.st_ino));
	hash_bytes(s, &st.st_size, sizeof(st.st_size));
	hash_bytes(s, &st.st_mtim, sizeof(st.st_mtim));
	return 0;
}

/* What is mapped into this process is what this binary needs; the vDSO and the binary itself
 * have no path here. */
static int add_library(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	return info->dlpi_name[0] == '/' ? add_source(data, info->dlpi_name, info->dlpi_name) : 0;
}

static int add_modules(struct sources *s, struct uc_diag *diag)
{
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		char name[128], from[PATH_MAX], to[128];

		snprintf(name, sizeof(name), "modules/%s", modules[i]);
		snprintf(to, sizeof(to), "/lab/modules/%02zu-%s", i, strrchr(modules[i], '/') + 1);
		if (uc_lab_cache_file(UC_LAB_KERNEL, name, from, diag) || add_source(s, from, to))
			return uc_fail(diag, UC_EXIT_LAB_FETCH, ENOENT,
				       "the cached kernel has no %s; remove %s and run again", name,
				       from);
	}
	return 0;
}

static int collect(struct sources *s, const char *busybox, struct uc_diag *diag)
{
	int rc;

	s->hash = 0xcbf29ce484222325ull;
	rc = add_source(s, "/proc/self/exe", "/usr/bin/upcall");
	if (!rc)
		rc = dl_iterate_phdr(add_library, s);
	if (!rc)
		rc = add_source(s, busybox, "/bin/busybox");
	if (rc)
		return uc_fail(diag, UC_EXIT_INTERNAL, -rc, "cannot collect the lab's files: %s",
			       strerror(-rc));
	return add_modules(s, diag);
}

/* Every applet under its own name, as the tool itself lists them. */
static void put_applets(struct uc_cpio *cpio, const char *busybox)
{
	char command[PATH_MAX + 16], line[64], path[80];
	FILE *list;

	snprintf(command, sizeof(command), "'%s' --list", busybox);
	list = popen(command, "re");
	while (list && fgets(line, sizeof(line), list)) {
		line[strcspn(line, "\n")] = '\0';
		snprintf(path, sizeof(path), "/bin/%s", line);
		if (strcmp(line, "busybox"))
			uc_cpio_symlink(cpio, path, "busybox");
	}
	if (!list || pclose(list))
		cpio->error = -ENOEXEC;
}

static int write_archive(FILE *to, const struct sources *s, const char *busybox)
{
	struct uc_cpio cpio;

	uc_cpio_begin(&cpio, to);
	uc_cpio_chardev(&cpio, "/dev/console", 5, 1);
	uc_cpio_data(&cpio, "/init", 0755, uc_lab_agent_start,
		     (size_t)(uc_lab_agent_end - uc_lab_agent_start));
	for (size_t i = 0; i < s->count; i++)
		uc_cpio_copy(&cpio, s->list[i].to, 0755, s->list[i].from);
	put_applets(&cpio, busybox);
	return uc_cpio_end(&cpio);
}

/* An unnamed file in `dir`: a run that is killed leaves nothing behind. */
static int build(const char *dir, const struct sources *s, const char *busybox)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), rc;
	FILE *to = fd < 0 ? NULL : fdopen(dup(fd), "w");

	if (!to)
		return -errno;
	rc = write_archive(to, s, busybox);
	if (fclose(to) && !rc)
		rc = -errno;
	if (!rc)
		return fd;
	close(fd);
	return rc;
}

static void publish(int fd, const char *path)
{
	char link[32];

	/* Failing is harmless: another run was first, or this cache keeps nothing. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	(void)!linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

static int is_archive(const struct dirent *entry)
{
	return !strncmp(entry->d_name, "lab-", 4);
}

/* Removes the archive that was used longest ago while there are more than KEPT. */
static void prune(const char *dir)
{
	struct dirent **list;
	int dirfd = open(dir, O_DIRECTORY | O_CLOEXEC);
	int count = scandirat(dirfd, ".", &list, is_archive, NULL), oldest = -1;
	struct timespec when = {0};

	for (int i = 0; i < count; i++) {
		struct stat st;

		if (fstatat(dirfd, list[i]->d_name, &st, 0))
			continue;
		if (oldest < 0 || st.st_mtim.tv_sec < when.tv_sec) {
			oldest = i;
			when = st.st_mtim;
		}
	}
	if (count > KEPT && oldest >= 0)
		unlinkat(dirfd, list[oldest]->d_name, 0);
	for (int i = 0; i < count; i++)
		free(list[i]);
	if (count >= 0)
		free(list);
	close(dirfd);
}

static int open_or_build(const struct sources *s, const char *busybox, struct uc_diag *diag)
{
	char dir[PATH_MAX], path[PATH_MAX + 32];
	int rc = uc_lab_cache(dir, diag), fd;

	if (rc)
		return rc;
	snprintf(path, sizeof(path), "%s/lab-%016llx", dir, (unsigned long long)s->hash);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		utimensat(AT_FDCWD, path, NULL, 0); /* used now: what prune() goes by */
		return fd;
	}
	fd = build(dir, s, busybox);
	if (fd < 0)
		return uc_fail(diag, UC_EXIT_LAB_FETCH, -fd,
			       "cannot make the lab's archive in %s: %s", dir, strerror(-fd));
	publish(fd, path);
	prune(dir);
	return fd;
}

int uc_lab_initramfs(struct uc_diag *diag)
{
	char busybox[PATH_MAX];
	struct sources *s;
	int rc;

	if (uc_lab_busybox(busybox))
		return uc_fail(diag, UC_EXIT_LAB_TOOL, ENOENT, "no busybox");
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	rc = collect(s, busybox, diag);
	if (!rc)
		rc = open_or_build(s, busybox, diag);
	free(s);
	return rc;
}
