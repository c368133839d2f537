/* SPDX-License-Identifier: MIT */
#include "vmm/xen/store_guest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define XENCONSOLED_LIMIT 1048576 /* bytes of backlog; libxl writes this number */

/* The first error stays; later steps do nothing. */
struct filler {
	struct uc_store *st;
	char home[64];
	int rc;
};

static void put(struct filler *f, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void put(struct filler *f, const char *key, const char *fmt, ...)
{
	char path[256], value[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/%s", f->home, key);
	if (!f->rc)
		f->rc = uc_store_write(f->st, path, value);
}

static void node(struct filler *f, const char *key, const struct uc_store_perms *perms)
{
	char path[256];

	snprintf(path, sizeof(path), "%s%s%s", f->home, *key ? "/" : "", key);
	if (!f->rc)
		f->rc = uc_store_mknod(f->st, path, perms);
}

static void fill_homes(struct filler *f, uint16_t domid)
{
	static const char *const readable[] = {"", "cpu", "memory", "device", "control"};
	static const char *const own[] = {
		"device/suspend/event-channel",
		"control/shutdown",
		"control/sysrq",
		"control/feature-poweroff",
		"control/feature-reboot",
		"control/feature-suspend",
		"data",
		"drivers",
		"feature",
		"attr",
		"error",
	};
	const struct uc_store_perms ro = {.n = 2,
					  .p = {{0, UC_STORE_NONE}, {domid, UC_STORE_READ}}};
	const struct uc_store_perms rw = {.n = 1, .p = {{domid, UC_STORE_NONE}}};

	for (size_t i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
		node(f, readable[i], &ro);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		node(f, own[i], &rw);
}

static void fill_machine(struct filler *f, const struct uc_store_guest *guest)
{
	char key[64];

	put(f, "name", "%s", guest->name);
	put(f, "domid", "%u", guest->domid);
	/* Equal, so that Linux' balloon has nothing to do. */
	put(f, "memory/static-max", "%llu", (unsigned long long)guest->memory_kib);
	put(f, "memory/target", "%llu", (unsigned long long)guest->memory_kib);
	put(f, "memory/videoram", "0");
	put(f, "store/port", "%u", guest->store_port);
	put(f, "store/ring-ref", "%llu", (unsigned long long)guest->store_gfn);
	put(f, "control/platform-feature-multiprocessor-suspend", "1");
	/* Linux sends RESET_WATCHES on start, so a kexec'ed kernel begins clean. */
	put(f, "control/platform-feature-xs_reset_watches", "1");
	for (unsigned i = 0; i < guest->n_vcpus; i++) {
		snprintf(key, sizeof(key), "cpu/%u/availability", i);
		put(f, key, "online");
	}
}

static void fill_console(struct filler *f, const struct uc_store_guest *guest)
{
	put(f, "console/backend", "/local/domain/0/backend/console/%u/0", guest->domid);
	put(f, "console/backend-id", "0");
	put(f, "console/limit", "%d", XENCONSOLED_LIMIT);
	put(f, "console/type", "xenconsoled");
	put(f, "console/output", "pty");
	put(f, "console/tty", "%s", guest->console_tty ? guest->console_tty : "");
	put(f, "console/port", "%u", guest->console_port);
	put(f, "console/ring-ref", "%llu", (unsigned long long)guest->console_gfn);
}

static int random_uuid(char text[37])
{
	uint8_t b[16];

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		return -EIO;
	b[6] = (uint8_t)(0x40 | (b[6] & 0x0f)); /* RFC 4122 version 4, variant 1 */
	b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
	snprintf(text, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		 b[13], b[14], b[15]);
	return 0;
}

static int fill_vm(struct uc_store *st, const struct uc_store_guest *guest, const char *uuid)
{
	const struct uc_store_perms ro = {.n = 2,
					  .p = {{0, UC_STORE_NONE}, {guest->domid, UC_STORE_READ}}};
	struct filler f = {.st = st};

	snprintf(f.home, sizeof(f.home), "/vm/%s", uuid);
	node(&f, "", &ro);
	put(&f, "uuid", "%s", uuid);
	put(&f, "name", "%s", guest->name);
	return f.rc;
}

static int fill_common(struct uc_store *st)
{
	struct filler f = {.st = st, .home = "/local/domain/0"};

	put(&f, "name", "Domain-0");
	put(&f, "domid", "0");
	strcpy(f.home, "/tool");
	put(&f, "xenstored", "%s", "");
	return f.rc;
}

int uc_store_populate_guest(struct uc_store *st, const struct uc_store_guest *guest)
{
	struct filler f = {.st = st};
	char uuid[37];

	if (guest->uuid)
		snprintf(uuid, sizeof(uuid), "%s", guest->uuid);
	else if (random_uuid(uuid))
		return -EIO;
	snprintf(f.home, sizeof(f.home), "/local/domain/%u", guest->domid);
	f.rc = fill_common(st);
	fill_homes(&f, guest->domid);
	put(&f, "vm", "/vm/%s", uuid);
	fill_machine(&f, guest);
	fill_console(&f, guest);
	if (!f.rc)
		f.rc = fill_vm(st, guest, uuid);
	if (!f.rc)
		uc_store_fire_special(st, "@introduceDomain");
	return f.rc;
}
