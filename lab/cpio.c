/* SPDX-License-Identifier: MIT */
/*
 * The archive writer, called by initramfs.c. Every header field is 8 hex digits; name and data
 * are each padded to 4 bytes, counted from the start of the archive.
 */
#include "lab/cpio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct entry {
	const char *path;
	mode_t mode;
	unsigned int major, minor;
	const void *data;
	size_t len;
};

static void put(struct uc_cpio *cpio, const void *data, size_t len)
{
	if (len && !cpio->error && fwrite(data, 1, len, cpio->to) != len)
		cpio->error = -EIO;
}

static void pad(struct uc_cpio *cpio, size_t len)
{
	put(cpio, "\0\0\0", -len & 3);
}

static void put_entry(struct uc_cpio *cpio, const struct entry *e)
{
	const char *name = e->path[0] == '/' ? e->path + 1 : e->path;
	size_t name_len = strlen(name) + 1;
	char header[111];

	if (e->len > UINT32_MAX) /* the format's limit */
		cpio->error = -EFBIG;
	snprintf(header, sizeof(header),
		 "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", cpio->next_ino++,
		 (unsigned int)e->mode, 0, 0, 1, 0, (unsigned int)e->len, 0, 0, e->major, e->minor,
		 (unsigned int)name_len, 0);
	put(cpio, header, 110);
	put(cpio, name, name_len);
	pad(cpio, 110 + name_len);
	put(cpio, e->data, e->len);
	pad(cpio, e->len);
}

/* The kernel creates no directory that the archive does not name; naming one twice is harmless. */
static void put_parents(struct uc_cpio *cpio, const char *path)
{
	char dir[PATH_MAX];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
		put_entry(cpio, &(struct entry){.path = dir, .mode = S_IFDIR | 0755});
	}
}

void uc_cpio_begin(struct uc_cpio *cpio, FILE *to)
{
	*cpio = (struct uc_cpio){.to = to, .next_ino = 1};
}

void uc_cpio_data(struct uc_cpio *cpio, const char *path, mode_t mode, const void *data, size_t len)
{
	put_parents(cpio, path);
	put_entry(cpio,
		  &(struct entry){.path = path, .mode = S_IFREG | mode, .data = data, .len = len});
}

void uc_cpio_copy(struct uc_cpio *cpio, const char *path, mode_t mode, const char *from)
{
	int fd = open(from, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *data = MAP_FAILED;

	if (fd >= 0 && !fstat(fd, &st) && st.st_size > 0)
		data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED && !cpio->error)
		cpio->error = -(errno ? errno : EIO);
	if (data != MAP_FAILED) {
		uc_cpio_data(cpio, path, mode, data, (size_t)st.st_size);
		munmap(data, (size_t)st.st_size);
	}
	if (fd >= 0)
		close(fd);
}

void uc_cpio_symlink(struct uc_cpio *cpio, const char *path, const char *target)
{
	put_parents(cpio, path);
	put_entry(cpio, &(struct entry){.path = path,
					.mode = S_IFLNK | 0777,
					.data = target,
					.len = strlen(target)});
}

void uc_cpio_chardev(struct uc_cpio *cpio, const char *path, unsigned int major, unsigned int minor)
{
	put_parents(cpio, path);
	put_entry(cpio,
		  &(struct entry){
			  .path = path, .mode = S_IFCHR | 0600, .major = major, .minor = minor});
}

int uc_cpio_end(struct uc_cpio *cpio)
{
	put_entry(cpio, &(struct entry){.path = "TRAILER!!!"});
	if (fflush(cpio->to) && !cpio->error)
		cpio->error = -errno;
	return cpio->error;
}
