/* SPDX-License-Identifier: MIT */
/* The archive writer, read back by a parser of the format that is written here on its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lab/cpio.h"

struct member {
	const char *name, *data;
	unsigned long mode, size, major, minor;
	size_t next; /* offset of the member behind it */
};

static char *archive;
static size_t archive_len;

static unsigned long field(const char *header, int nr)
{
	char hex[9] = {0};

	memcpy(hex, header + 6 + 8 * nr, 8);
	return strtoul(hex, NULL, 16);
}

static size_t aligned(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

static struct member member_at(size_t at)
{
	const char *header = archive + at;
	size_t data = aligned(at + 110 + field(header, 11));

	assert_true(at % 4 == 0 && at + 110 <= archive_len);
	assert_memory_equal(header, "070701", 6);
	return (struct member){
		.name = header + 110,
		.data = archive + data,
		.mode = field(header, 1),
		.size = field(header, 6),
		.major = field(header, 9),
		.minor = field(header, 10),
		.next = aligned(data + field(header, 6)),
	};
}

static struct member find(const char *name)
{
	struct member m = member_at(0);

	while (strcmp(m.name, name) && strcmp(m.name, "TRAILER!!!"))
		m = member_at(m.next);
	assert_string_equal(m.name, name);
	return m;
}

static int make(void **state)
{
	FILE *to = open_memstream(&archive, &archive_len);
	struct uc_cpio cpio;

	(void)state;
	uc_cpio_begin(&cpio, to);
	uc_cpio_data(&cpio, "/a/bc/file", 0640, "12345", 5);
	uc_cpio_data(&cpio, "/empty", 0600, "", 0);
	uc_cpio_symlink(&cpio, "/bin/sh", "busybox");
	uc_cpio_chardev(&cpio, "/dev/console", 5, 1);
	uc_cpio_copy(&cpio, "/self", 0755, "/proc/self/exe");
	if (uc_cpio_end(&cpio))
		return -1;
	return fclose(to);
}

static void files_have_their_bytes_and_mode(void **state)
{
	struct member m = find("a/bc/file");

	(void)state;
	assert_int_equal(m.mode, S_IFREG | 0640);
	assert_int_equal(m.size, 5);
	assert_memory_equal(m.data, "12345", 5);
	assert_int_equal(find("empty").size, 0);
	assert_memory_equal(find("self").data, "\177ELF", 4);
	assert_true(find("self").size > 10000);
}

static void directories_come_before_what_is_in_them(void **state)
{
	(void)state;
	assert_int_equal(find("a").mode, S_IFDIR | 0755);
	assert_int_equal(find("a/bc").mode, S_IFDIR | 0755);
	assert_true(find("a").name < find("a/bc").name);
	assert_true(find("a/bc").name < find("a/bc/file").name);
}

static void links_and_devices_are_what_they_are(void **state)
{
	struct member link = find("bin/sh"), console = find("dev/console");

	(void)state;
	assert_int_equal(link.mode & S_IFMT, S_IFLNK);
	assert_memory_equal(link.data, "busybox", link.size);
	assert_int_equal(console.mode & S_IFMT, S_IFCHR);
	assert_int_equal(console.major, 5);
	assert_int_equal(console.minor, 1);
}

static void the_trailer_ends_it(void **state)
{
	(void)state;
	assert_int_equal(find("TRAILER!!!").next, archive_len);
}

static void a_missing_source_is_an_error_that_sticks(void **state)
{
	char *text;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	struct uc_cpio cpio;

	(void)state;
	uc_cpio_begin(&cpio, to);
	uc_cpio_copy(&cpio, "/x", 0600, "/nonexistent");
	uc_cpio_data(&cpio, "/y", 0600, "", 0);
	assert_true(uc_cpio_end(&cpio) < 0);
	fclose(to);
	free(text);
}

static int clean(void **state)
{
	(void)state;
	free(archive);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_have_their_bytes_and_mode),
		cmocka_unit_test(directories_come_before_what_is_in_them),
		cmocka_unit_test(links_and_devices_are_what_they_are),
		cmocka_unit_test(the_trailer_ends_it),
		cmocka_unit_test(a_missing_source_is_an_error_that_sticks),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
