/* SPDX-License-Identifier: MIT */
/* Which QEMU the lab takes: by version, by where it is, by what is missing. The QEMUs are scripts
 * that say a version; one test has one directory for PATH and one for the cache. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lab/lab.h"
#include "lab/qemu.h"
#include "lab/qemu_fix.h"

static char dir[32];

static void put(const char *name, const char *text)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

static void put_system(const char *version)
{
	char text[128];

	snprintf(text, sizeof(text), "#!/bin/sh\necho 'QEMU emulator version %s (Debian 1:x)'\n",
		 version);
	put("bin/qemu-system-x86_64", text);
}

static void put_cached(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/cache/qemu/share", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	put("cache/qemu/qemu-system-x86_64", "");
	put("cache/qemu/qemu-system-x86_64.repaired", "");
	put("cache/qemu/release", "10.0.2\n");
}

static void remove_repaired(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/cache/qemu/qemu-system-x86_64.repaired", dir);
	assert_int_equal(remove(path), 0);
}

static void make_dir(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

static int make(void **state)
{
	char path[64];

	(void)state;
	strcpy(dir, "/tmp/test-qemu.XXXXXX");
	assert_non_null(mkdtemp(dir));
	make_dir("bin");
	make_dir("cache");
	make_dir("cache/qemu");
	snprintf(path, sizeof(path), "%s/bin", dir);
	setenv("PATH", path, 1);
	snprintf(path, sizeof(path), "%s/cache", dir);
	setenv("UPCALL_CACHE", path, 1);
	unsetenv("UPCALL_QEMU");
	return 0;
}

static int clean(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "/bin/rm -rf %s", dir);
	return system(command);
}

static void the_version_is_read(void **state)
{
	char version[24];

	(void)state;
	uc_lab_qemu_version("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)", version);
	assert_string_equal(version, "7.2.22");
	uc_lab_qemu_version("QEMU emulator version 11.0.0-rc1", version);
	assert_string_equal(version, "11.0.0");
	uc_lab_qemu_version("error while loading shared libraries", version);
	assert_string_equal(version, "");
	uc_lab_qemu_version("QEMU emulator version 1.2.3.4.5.6.7.8.9.10.11.12.13.14", version);
	assert_int_equal(strlen(version), 23);
}

static void the_repaired_one_is_better_than_any(void **state)
{
	struct uc_lab_qemu qemu;

	(void)state;
	put_system("7.2.22");
	put_cached();
	assert_int_equal(uc_lab_qemu_find(&qemu), 0);
	assert_non_null(strstr(qemu.path, "/cache/qemu/qemu-system-x86_64.repaired"));
	assert_non_null(strstr(qemu.share, "/cache/qemu/share"));
	assert_string_equal(qemu.version, "10.0.2");
	assert_false(qemu.one_cpu || qemu.wanting);
}

static void an_unknown_build_is_not_repaired(void **state)
{
	struct uc_diag why_not = {0};
	struct uc_lab_qemu qemu;

	(void)state;
	put_system("11.0.0");
	put_cached();
	remove_repaired();
	assert_int_equal(uc_lab_qemu_find(&qemu), 0);
	assert_true(qemu.one_cpu && qemu.wanting);
	assert_int_equal(uc_lab_qemu_improve(&qemu, &why_not), -ENOENT);
	assert_non_null(strstr(why_not.text, "not the build"));
	assert_non_null(strstr(qemu.path, "/bin/qemu-system-x86_64"));
	assert_true(qemu.one_cpu);
}

/* The bytes of Debian's 10.0.2, twice in `code` if asked for. */
static void put_code(uint8_t *code, size_t at)
{
	static const uint8_t vmrun[] = {
		0x44, 0x89, 0xab, 0xe0, 0x33, 0x00, 0x00, 0x89, 0xb3, 0x10, 0xd7, 0xff, 0xff, 0xc7,
		0x83, 0xe4, 0x33, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x48, 0xc7, 0x83, 0xe8, 0x33,
		0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xf6, 0x05, 0x9a, 0xa7, 0x3c, 0x01, 0x02, 0x0f,
		0x85, 0x6c, 0x01, 0x00, 0x00, 0xba, 0x01, 0x00, 0x00, 0x00, 0x48, 0x89, 0xdf, 0xe8,
	};

	memcpy(code + at, vmrun, sizeof(vmrun));
}

static void the_fix_is_one_store(void **state)
{
	static const uint8_t no_op[] = {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00};
	uint8_t code[300], before[300];

	(void)state;
	memset(code, 0x90, sizeof(code));
	assert_int_equal(uc_lab_qemu_fix_code(code, sizeof(code)), -ENOENT);
	put_code(code, 244); /* to the last byte */
	memcpy(before, code, sizeof(code));
	memcpy(before + 251, no_op, sizeof(no_op));
	assert_int_equal(uc_lab_qemu_fix_code(code, sizeof(code)), 0);
	assert_memory_equal(code, before, sizeof(code));
	assert_int_equal(uc_lab_qemu_fix_code(code, sizeof(code)), -ENOENT); /* done already */
	put_code(code, 0);
	put_code(code, 100);
	memcpy(before, code, sizeof(code));
	assert_int_equal(uc_lab_qemu_fix_code(code, sizeof(code)), -EEXIST);
	assert_memory_equal(code, before, sizeof(code));
}

static void any_other_alone_is_wanting(void **state)
{
	struct uc_lab_qemu qemu;

	(void)state;
	put_system("7.2.22");
	assert_int_equal(uc_lab_qemu_find(&qemu), 0);
	assert_non_null(strstr(qemu.path, "/bin/qemu-system-x86_64"));
	assert_true(qemu.one_cpu && qemu.wanting);
}

static void a_download_that_fails_leaves_the_other(void **state)
{
	struct uc_diag why_not = {0};
	struct uc_lab_qemu qemu;

	(void)state;
	put_system("7.2.22");
	assert_int_equal(uc_lab_qemu_find(&qemu), 0);
	assert_int_not_equal(uc_lab_qemu_improve(&qemu, &why_not), 0); /* no bash in this PATH */
	assert_non_null(strstr(why_not.text, "bash"));
	assert_non_null(strstr(qemu.path, "/bin/qemu-system-x86_64"));
	assert_true(qemu.one_cpu);
}

static void a_download_that_works_replaces_it(void **state)
{
	struct uc_diag why_not = {0};
	struct uc_lab_qemu qemu;

	(void)state;
	put_system("7.2.22");
	assert_int_equal(uc_lab_qemu_find(&qemu), 0);
	put_cached(); /* as another run's download does */
	assert_int_equal(uc_lab_qemu_improve(&qemu, &why_not), 0);
	assert_string_equal(qemu.version, "10.0.2");
	assert_false(qemu.one_cpu || qemu.wanting);
}

static void the_variable_is_obeyed(void **state)
{
	struct uc_lab_qemu qemu;
	char own[64];

	(void)state;
	put_system("7.2.22");
	put_cached();
	snprintf(own, sizeof(own), "%s/bin/qemu-system-x86_64", dir);
	setenv("UPCALL_QEMU", own, 1);
	assert_int_equal(uc_lab_qemu_find(&qemu), 0);
	assert_string_equal(qemu.path, own);
	assert_true(qemu.one_cpu);
	assert_false(qemu.wanting);
	setenv("UPCALL_QEMU", "/nonexistent", 1);
	assert_int_equal(uc_lab_qemu_find(&qemu), -ENOENT);
}

static void none_at_all(void **state)
{
	struct uc_lab_qemu qemu;

	(void)state;
	assert_int_equal(uc_lab_qemu_find(&qemu), -ENOENT);
	put_cached();
	assert_int_equal(uc_lab_qemu_find(&qemu), 0);
	assert_false(qemu.one_cpu);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, make, clean)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_version_is_read),
		IN_DIR(an_unknown_build_is_not_repaired),
		cmocka_unit_test(the_fix_is_one_store),
		IN_DIR(the_repaired_one_is_better_than_any),
		IN_DIR(any_other_alone_is_wanting),
		IN_DIR(a_download_that_fails_leaves_the_other),
		IN_DIR(a_download_that_works_replaces_it),
		IN_DIR(the_variable_is_obeyed),
		IN_DIR(none_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
