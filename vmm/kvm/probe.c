/* SPDX-License-Identifier: MIT */
/* See probe.h. Only asks: no VM is created, nothing of the machine changes. */
#include "vmm/kvm/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NEEDED                                                                                     \
	(KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL | KVM_XEN_HVM_CONFIG_SHARED_INFO |                     \
	 KVM_XEN_HVM_CONFIG_RUNSTATE)

#define IN_LAB "run it in the lab: upcall lab run ..."

/* By bit number, as in Linux 6.12's uapi; the host's headers may be older. */
static const char *const xen_bits[] = {
	"HYPERCALL_MSR",   "INTERCEPT_HCALL",	   "SHARED_INFO",
	"RUNSTATE",	   "EVTCHN_2LEVEL",	   "EVTCHN_SEND",
	"RUNSTATE_UPDATE", "PVCLOCK_TSC_UNSTABLE", "SHARED_INFO_HVA",
};

const char *uc_kvm_xen_bit(unsigned int bit)
{
	return bit < sizeof(xen_bits) / sizeof(xen_bits[0]) ? xen_bits[bit] : NULL;
}

void uc_kvm_xen_names(uint32_t bits, char *text, unsigned int size)
{
	unsigned int len = 0;

	snprintf(text, size, "none");
	for (unsigned int bit = 0; uc_kvm_xen_bit(bit) && len < size; bit++)
		if (bits & (1u << bit))
			len += (unsigned int)snprintf(text + len, size - len, "%s%s",
						      len ? " " : "", uc_kvm_xen_bit(bit));
}

static bool has_word(const char *line, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = strstr(line, word); at; at = strstr(at + len, word))
		if (at > line && at[-1] == ' ' && (at[len] == ' ' || at[len] == '\n' || !at[len]))
			return true;
	return false;
}

static void read_flags(struct uc_kvm_probe *p, const char *cpuinfo)
{
	FILE *file = fopen(cpuinfo, "re");
	char line[8192]; /* today's longest flags line has 2 KiB */

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "flags", 5))
			continue;
		p->svm = has_word(line, "svm");
		p->vmx = has_word(line, "vmx");
		break;
	}
	if (file)
		fclose(file);
}

static void ask_kvm(struct uc_kvm_probe *p, int fd)
{
	int caps;

	p->api_version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (p->api_version < 0)
		return;
	caps = ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_XEN_HVM);
	p->xen_hvm = caps > 0 ? (uint32_t)caps : 0;
	p->xen_missing = NEEDED & ~p->xen_hvm;
}

void uc_kvm_probe_at(struct uc_kvm_probe *p, const char *device, const char *cpuinfo)
{
	int fd = open(device, O_RDWR | O_CLOEXEC);

	*p = (struct uc_kvm_probe){
		.open_error = fd < 0 ? errno : 0, .api_version = -1, .xen_missing = NEEDED};
	read_flags(p, cpuinfo);
	if (fd < 0)
		return;
	ask_kvm(p, fd);
	close(fd);
}

void uc_kvm_probe(struct uc_kvm_probe *p)
{
	uc_kvm_probe_at(p, "/dev/kvm", "/proc/cpuinfo");
}

static int refuse_device(const struct uc_kvm_probe *p, struct uc_diag *diag)
{
	if (p->open_error == EACCES || p->open_error == EPERM)
		return uc_fail(diag, UC_EXIT_NO_KVM, p->open_error,
			       "/dev/kvm may not be opened: %s; join its group (usually kvm), "
			       "or " IN_LAB,
			       strerror(p->open_error));
	return uc_fail(diag, UC_EXIT_NO_KVM, p->open_error,
		       "/dev/kvm cannot be opened: %s; load kvm-amd or kvm-intel, or " IN_LAB,
		       strerror(p->open_error));
}

int uc_kvm_require(const struct uc_kvm_probe *p, struct uc_diag *diag)
{
	char missing[256];

	if (p->open_error)
		return refuse_device(p, diag);
	if (p->api_version != KVM_API_VERSION)
		return uc_fail(diag, UC_EXIT_NO_KVM, ENODEV,
			       "/dev/kvm is not KVM (its API version is %d, not %d); " IN_LAB,
			       p->api_version, KVM_API_VERSION);
	if (!p->svm && !p->vmx)
		return uc_fail(diag, UC_EXIT_KVM_CAP, EOPNOTSUPP,
			       "this CPU has neither SVM nor VMX, so KVM here cannot run a stock "
			       "guest; " IN_LAB);
	if (!p->xen_missing)
		return 0;
	uc_kvm_xen_names(p->xen_missing, missing, sizeof(missing));
	return uc_fail(
		diag, UC_EXIT_KVM_CAP, EOPNOTSUPP,
		"this kernel's KVM lacks Xen support (%s), it needs CONFIG_KVM_XEN=y; " IN_LAB,
		missing);
}
