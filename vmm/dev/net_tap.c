/* SPDX-License-Identifier: MIT */
#include "vmm/dev/net_tap.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if_tun.h>

static int open_queue(const char *name, short flags)
{
	struct ifreq ifr = {.ifr_flags = flags};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	if (ioctl(fd, TUNSETIFF, &ifr)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static int open_queues(struct uc_tap *tap, uint32_t nr_queues)
{
	const short flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;

	for (; tap->nr_queues < nr_queues; tap->nr_queues++) {
		int fd = open_queue(tap->name,
				    (short)(nr_queues > 1 ? flags | IFF_MULTI_QUEUE : flags));

		if (fd < 0)
			return fd;
		tap->fds[tap->nr_queues] = fd;
	}
	return 0;
}

static int fail(const struct uc_tap *tap, int err, struct uc_diag *diag)
{
	switch (err) {
	case ENOENT:
	case ENODEV:
		return uc_fail(diag, UC_EXIT_USAGE, err,
			       "--net tap=%s: this machine has no /dev/net/tun; load the module "
			       "tun (modprobe tun)",
			       tap->name);
	case EPERM:
	case EACCES:
		return uc_fail(diag, UC_EXIT_USAGE, err,
			       "--net tap=%s: not permitted; run as root, or have root make it for "
			       "you: ip tuntap add %s mode tap multi_queue user $USER",
			       tap->name, tap->name);
	case EBUSY:
		return uc_fail(diag, UC_EXIT_USAGE, err,
			       "--net tap=%s: another program uses it; give each guest a tap of "
			       "its own",
			       tap->name);
	case EINVAL:
		return uc_fail(diag, UC_EXIT_USAGE, err,
			       "--net tap=%s: there is such an interface, but it is no free tap; "
			       "see `ip -d link show %s`, or give another name",
			       tap->name, tap->name);
	default:
		return uc_fail(diag, UC_EXIT_USAGE, err, "--net tap=%s: cannot open it: %s",
			       tap->name, strerror(err));
	}
}

int uc_tap_open(struct uc_tap *tap, const char *name, uint32_t nr_queues, struct uc_diag *diag)
{
	int rc;

	*tap = (struct uc_tap){.nr_queues = 0};
	if (!name[0] || strlen(name) >= sizeof(tap->name) || strpbrk(name, "/% \t\n"))
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "--net tap=%s: give the name of an interface, 1 to 15 characters",
			       name);
	memcpy(tap->name, name, strlen(name) + 1);
	if (nr_queues > UC_NET_QUEUES_MAX)
		nr_queues = UC_NET_QUEUES_MAX;
	rc = open_queues(tap, nr_queues);
	/* As the kernel answers when the device was made without multi_queue. */
	if (rc == -EINVAL && nr_queues > 1 && !tap->nr_queues)
		rc = open_queues(tap, 1);
	if (rc) {
		uc_tap_close(tap);
		return fail(tap, -rc, diag);
	}
	return 0;
}

void uc_tap_close(struct uc_tap *tap)
{
	while (tap->nr_queues)
		close(tap->fds[--tap->nr_queues]);
}

static int attach(int fd, bool attached)
{
	struct ifreq ifr = {.ifr_flags = (short)(attached ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE)};

	/* EINVAL: it is so already. */
	return ioctl(fd, TUNSETQUEUE, &ifr) && errno != EINVAL ? -errno : 0;
}

int uc_tap_configure(struct uc_tap *tap, uint32_t nr_queues, bool csum, bool tso4, bool tso6)
{
	unsigned int offload = (csum ? TUN_F_CSUM : 0) | (csum && tso4 ? TUN_F_TSO4 : 0) |
			       (csum && tso6 ? TUN_F_TSO6 : 0);
	int rc = 0;

	/* A tap of one queue cannot be told; what comes while nobody reads fills it and is dropped.
	 */
	for (uint32_t i = 0; tap->nr_queues > 1 && i < tap->nr_queues && !rc; i++)
		rc = attach(tap->fds[i], i < nr_queues);
	if (!rc && nr_queues && ioctl(tap->fds[0], TUNSETOFFLOAD, offload))
		rc = -errno;
	return rc;
}
