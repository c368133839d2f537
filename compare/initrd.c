/* SPDX-License-Identifier: MIT */
#include "compare/initrd.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/cpio.h"
#include "lab/lab.h"

#define NETFRONT "kernel/drivers/net/xen-netfront.ko"

extern const char uc_compare_agent_start[], uc_compare_agent_end[];

/* The boot protocol's kernel_version: a pointer at 0x20e, counted from 0x200. */
void uc_compare_release(const char *kernel, char *release, unsigned int size)
{
	FILE *file = fopen(kernel, "re");
	uint16_t at = 0;

	release[0] = '\0';
	if (!file)
		return;
	if (!fseek(file, 0x20e, SEEK_SET) && fread(&at, sizeof(at), 1, file) == 1 && at &&
	    !fseek(file, 0x200 + at, SEEK_SET) && fgets(release, (int)size, file))
		release[strcspn(release, " \n")] = '\0';
	else
		release[0] = '\0';
	fclose(file);
}

int uc_compare_netfront(const char *kernel, char path[PATH_MAX])
{
	const char *slash = strrchr(kernel, '/');
	char release[128];

	if (snprintf(path, PATH_MAX, "%.*smodules/" NETFRONT, slash ? (int)(slash + 1 - kernel) : 0,
		     kernel) < PATH_MAX &&
	    !access(path, R_OK))
		return 0;
	uc_compare_release(kernel, release, sizeof(release));
	snprintf(path, PATH_MAX, "/lib/modules/%s/" NETFRONT, release);
	return release[0] && !access(path, R_OK) ? 0 : -ENOENT;
}

static int write_archive(FILE *to, const char *netfront)
{
	char busybox[PATH_MAX];
	struct uc_cpio cpio;

	uc_cpio_begin(&cpio, to);
	uc_cpio_chardev(&cpio, "/dev/console", 5, 1);
	uc_cpio_data(&cpio, "/init", 0755, uc_compare_agent_start,
		     (size_t)(uc_compare_agent_end - uc_compare_agent_start));
	if (netfront)
		uc_cpio_copy(&cpio, "/xen-netfront.ko", 0644, netfront);
	/* Without one there is no web server; who asks for that probe has checked. */
	if (!uc_lab_busybox(busybox))
		uc_cpio_copy(&cpio, "/bin/busybox", 0755, busybox);
	return uc_cpio_end(&cpio);
}

int uc_compare_make_initrd(const char *netfront, char path[PATH_MAX], struct uc_diag *diag)
{
	const char *dir = getenv("TMPDIR");
	FILE *to = NULL;
	int fd, rc;

	snprintf(path, PATH_MAX, "%s/upcall-compare-XXXXXX", dir && dir[0] ? dir : "/tmp");
	fd = mkstemp(path);
	if (fd >= 0)
		to = fdopen(fd, "w");
	if (!to)
		return uc_fail(diag, UC_EXIT_INTERNAL, errno, "cannot write %s: %s", path,
			       strerror(errno));
	rc = write_archive(to, netfront);
	if (fclose(to) && !rc)
		rc = -errno;
	if (!rc)
		return 0;
	unlink(path);
	return uc_fail(diag, UC_EXIT_INTERNAL, -rc,
		       "cannot write the guests' initial RAM disk %s: %s", path, strerror(-rc));
}
