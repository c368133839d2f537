/* SPDX-License-Identifier: MIT */
/* The decision "can guests run here", for machines that this one is not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/kvm/probe.h"

#define INTERCEPT   (1u << 1)
#define SHARED_INFO (1u << 2)
#define RUNSTATE    (1u << 3)

static struct uc_diag diag;

static int require(struct uc_kvm_probe p)
{
	memset(&diag, 0, sizeof(diag));
	return uc_kvm_require(&p, &diag);
}

static void assert_refused(int rc, int status, const char *says)
{
	assert_true(rc < 0);
	assert_int_equal(diag.status, status);
	if (!strstr(diag.text, says))
		fail_msg("\"%s\" does not say \"%s\"", diag.text, says);
	assert_non_null(strstr(diag.text, "upcall lab"));
	assert_null(strchr(diag.text, '\n'));
}

static void a_good_machine_is_native(void **state)
{
	(void)state;
	assert_int_equal(require((struct uc_kvm_probe){.svm = true, .api_version = 12}), 0);
	assert_int_equal(require((struct uc_kvm_probe){.vmx = true, .api_version = 12}), 0);
	assert_string_equal(diag.text, "");
}

static void a_software_kvm_is_refused(void **state)
{
	(void)state;
	assert_refused(require((struct uc_kvm_probe){.api_version = 12}), UC_EXIT_KVM_CAP,
		       "neither SVM nor VMX");
}

static void a_kvm_without_xen_is_refused_by_bit_name(void **state)
{
	struct uc_kvm_probe p = {.svm = true, .api_version = 12, .xen_missing = RUNSTATE};

	(void)state;
	assert_refused(require(p), UC_EXIT_KVM_CAP, "(RUNSTATE)");
	p.xen_missing = INTERCEPT | SHARED_INFO;
	assert_refused(require(p), UC_EXIT_KVM_CAP, "(INTERCEPT_HCALL SHARED_INFO)");
}

static void an_unusable_device_is_refused_by_reason(void **state)
{
	(void)state;
	assert_refused(require((struct uc_kvm_probe){.svm = true, .open_error = ENOENT}),
		       UC_EXIT_NO_KVM, "load kvm-amd");
	assert_refused(require((struct uc_kvm_probe){.svm = true, .open_error = EACCES}),
		       UC_EXIT_NO_KVM, "group");
	assert_refused(require((struct uc_kvm_probe){.svm = true, .api_version = -1}),
		       UC_EXIT_NO_KVM, "not KVM");
	assert_refused(require((struct uc_kvm_probe){.svm = true, .api_version = 11}),
		       UC_EXIT_NO_KVM, "not 12");
}

static void probe_with_flags(struct uc_kvm_probe *p, const char *cpuinfo, const char *device)
{
	char path[] = "/tmp/upcall-cpuinfo-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, cpuinfo, strlen(cpuinfo)), strlen(cpuinfo));
	close(fd);
	uc_kvm_probe_at(p, device, path);
	unlink(path);
}

static void flags_are_whole_words(void **state)
{
	struct uc_kvm_probe p;

	(void)state;
	probe_with_flags(&p, "model name\t: svm vmx\nflags\t\t: fpu svm_lock avmx\n",
			 "/nonexistent");
	assert_false(p.svm);
	assert_false(p.vmx);
	probe_with_flags(&p, "flags\t\t: fpu svm_lock svm sse\n", "/nonexistent");
	assert_true(p.svm);
	assert_false(p.vmx);
	probe_with_flags(&p, "flags\t\t: fpu vmx\n", "/nonexistent");
	assert_true(p.vmx);
}

static void a_missing_device_and_a_false_one_are_told_apart(void **state)
{
	struct uc_kvm_probe p;

	(void)state;
	uc_kvm_probe_at(&p, "/nonexistent", "/nonexistent");
	assert_int_equal(p.open_error, ENOENT);
	assert_int_equal(p.xen_missing, INTERCEPT | SHARED_INFO | RUNSTATE);
	uc_kvm_probe_at(&p, "/dev/null", "/nonexistent");
	assert_int_equal(p.open_error, 0);
	assert_int_equal(p.api_version, -1);
	assert_int_equal(p.xen_missing, INTERCEPT | SHARED_INFO | RUNSTATE);
}

static void names_fit_any_buffer(void **state)
{
	char text[256];

	(void)state;
	uc_kvm_xen_names(0, text, sizeof(text));
	assert_string_equal(text, "none");
	uc_kvm_xen_names(0x1ff, text, sizeof(text));
	assert_non_null(strstr(text, "SHARED_INFO_HVA"));
	for (unsigned int size = 1; size < 200; size++) {
		memset(text, 'x', sizeof(text));
		uc_kvm_xen_names(0xffffffff, text, size);
		assert_true(strlen(text) < size);
		assert_int_equal(text[size], 'x');
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_machine_is_native),
		cmocka_unit_test(a_software_kvm_is_refused),
		cmocka_unit_test(a_kvm_without_xen_is_refused_by_bit_name),
		cmocka_unit_test(an_unusable_device_is_refused_by_reason),
		cmocka_unit_test(flags_are_whole_words),
		cmocka_unit_test(a_missing_device_and_a_false_one_are_told_apart),
		cmocka_unit_test(names_fit_any_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
