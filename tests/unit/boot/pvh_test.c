/* SPDX-License-Identifier: MIT */
/*
 * What a PVH boot passes: initrd, command line, memory map, and the ACPI tables, read back from
 * guest RAM the way a guest reads them, by offsets of the specifications.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <xen/arch-x86/hvm/start_info.h>

#include "vmm/boot/acpi.h"
#include "vmm/boot/layout.h"
#include "vmm/boot/pvh.h"

#define MIB (1ull << 20)

static struct uc_mem mem;
static struct uc_diag diag;
static struct uc_boot boot;
static const struct uc_kernel kernel = {
	.entry = 0x1000850, .low = 16 * MIB, .high = 40 * MIB, .format = "ELF"};
static char path[] = "/tmp/uc-pvh-XXXXXX";
static int fd = -1;

static void new_mem(uint64_t bytes)
{
	uc_mem_destroy(&mem);
	assert_int_equal(uc_mem_init(&mem, bytes, &diag), 0);
}

static int set_up(void **state)
{
	(void)state;
	memset(&diag, 0, sizeof(diag));
	boot = (struct uc_boot){.cmdline = "console=hvc0", .cpus = 1};
	strcpy(path, "/tmp/uc-pvh-XXXXXX");
	fd = mkstemp(path);
	return fd < 0 ? -1 : uc_mem_init(&mem, 64 * MIB, &diag);
}

static int tear_down(void **state)
{
	(void)state;
	uc_mem_destroy(&mem);
	close(fd);
	return unlink(path);
}

static int setup(void)
{
	memset(&diag, 0, sizeof(diag));
	return uc_boot_setup(&mem, &kernel, &boot, &diag);
}

static void assert_refused(int err, int expected, int status, const char *words)
{
	assert_int_equal(err, -expected);
	assert_int_equal(diag.status, status);
	if (!strstr(diag.text, words))
		fail_msg("\"%s\" does not say \"%s\"", diag.text, words);
}

/* Bytes of guest RAM; the guest would fault where this fails. */
static const void *at(uint64_t gpa, uint64_t len)
{
	const void *p = uc_mem_at(&mem, gpa, len);

	assert_non_null(p);
	return p;
}

static const struct hvm_start_info *info(void)
{
	const struct hvm_start_info *i = at(boot.start_info_gpa, sizeof(*i));

	assert_int_equal(i->magic, XEN_HVM_START_MAGIC_VALUE);
	assert_int_equal(i->version, 1);
	return i;
}

static void entry_and_start_info_are_returned(void **state)
{
	(void)state;
	assert_int_equal(setup(), 0);
	assert_int_equal(boot.entry_eip, kernel.entry);
	assert_int_equal(info()->flags, 0);
	assert_int_equal(info()->nr_modules, 0);
	assert_int_equal(info()->rsdp_paddr, boot.rsdp_gpa);
}

static void the_command_line_is_passed(void **state)
{
	(void)state;
	assert_int_equal(setup(), 0);
	assert_string_equal(at(info()->cmdline_paddr, UC_CMDLINE_BYTES), "console=hvc0");
	boot.cmdline = NULL;
	assert_int_equal(setup(), 0);
	assert_string_equal(at(info()->cmdline_paddr, UC_CMDLINE_BYTES), "");
}

static void a_command_line_of_2048_characters_is_refused(void **state)
{
	char line[UC_CMDLINE_BYTES + 1];

	(void)state;
	memset(line, 'x', sizeof(line));
	line[UC_CMDLINE_BYTES - 1] = '\0';
	boot.cmdline = line;
	assert_int_equal(setup(), 0);
	assert_string_equal(at(info()->cmdline_paddr, UC_CMDLINE_BYTES), line);
	line[UC_CMDLINE_BYTES - 1] = 'x';
	line[UC_CMDLINE_BYTES] = '\0';
	assert_refused(setup(), E2BIG, UC_EXIT_USAGE, "2048 characters and Linux takes 2047");
}

static void cpus_out_of_range_are_refused(void **state)
{
	(void)state;
	boot.cpus = 0;
	assert_refused(setup(), EINVAL, UC_EXIT_USAGE, "0 vCPUs");
	boot.cpus = UC_MAX_CPUS + 1;
	assert_refused(setup(), EINVAL, UC_EXIT_USAGE, "129 vCPUs");
	boot.cpus = UC_MAX_CPUS;
	assert_int_equal(setup(), 0);
}

static void assert_range(unsigned int i, uint64_t start, uint64_t end, uint32_t type)
{
	const struct hvm_memmap_table_entry *e = at(info()->memmap_paddr,
						    info()->memmap_entries * sizeof(*e));

	assert_true(i < info()->memmap_entries);
	assert_int_equal(e[i].addr, start);
	assert_int_equal(e[i].addr + e[i].size, end);
	assert_int_equal(e[i].type, type);
	assert_int_equal(e[i].reserved, 0);
}

static void the_map_of_a_small_guest(void **state)
{
	(void)state;
	new_mem(1024 * MIB);
	assert_int_equal(setup(), 0);
	assert_int_equal(info()->memmap_entries, 4);
	assert_range(0, 0, 0xa0000, XEN_HVM_MEMMAP_TYPE_RAM);
	assert_range(1, MIB, 1024 * MIB - 0x10000, XEN_HVM_MEMMAP_TYPE_RAM);
	assert_range(2, 1024 * MIB - 0x10000, 1024 * MIB, XEN_HVM_MEMMAP_TYPE_ACPI);
	assert_range(3, 0xfeff0000, 0xff000000, XEN_HVM_MEMMAP_TYPE_RESERVED);
}

static void the_map_of_a_guest_beyond_4_gib(void **state)
{
	(void)state;
	new_mem(6144 * MIB); /* reserved, hardly touched */
	assert_int_equal(setup(), 0);
	assert_int_equal(info()->memmap_entries, 5);
	assert_range(1, MIB, 0xdfff0000, XEN_HVM_MEMMAP_TYPE_RAM);
	assert_range(2, 0xdfff0000, 0xe0000000, XEN_HVM_MEMMAP_TYPE_ACPI);
	assert_range(4, 4096 * MIB, 4096 * MIB + 6144 * MIB - 0xe0000000, XEN_HVM_MEMMAP_TYPE_RAM);
}

static void every_ram_range_of_the_map_is_ram(void **state)
{
	static const uint64_t sizes[] = {64 * MIB, 3584 * MIB, 3584 * MIB + 4096, 8192 * MIB};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const struct hvm_memmap_table_entry *e;

		new_mem(sizes[i]);
		assert_int_equal(setup(), 0);
		e = at(info()->memmap_paddr, info()->memmap_entries * sizeof(*e));
		for (unsigned int n = 0; n < info()->memmap_entries; n++) {
			bool ram = e[n].type != XEN_HVM_MEMMAP_TYPE_RESERVED;

			assert_int_equal(uc_mem_at(&mem, e[n].addr, e[n].size) != NULL, ram);
			assert_true(n == 0 || e[n].addr >= e[n - 1].addr + e[n - 1].size);
		}
	}
}

static void the_special_pages_are_reserved_and_not_ram(void **state)
{
	static const uint64_t pages[] = {UC_GPA_XENSTORE_RING, UC_GPA_CONSOLE_RING,
					 UC_GPA_KVM_IDENTITY_MAP, UC_GPA_KVM_TSS,
					 UC_GPA_KVM_TSS + 2 * UC_PAGE_SIZE};

	(void)state;
	new_mem(6144 * MIB);
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		assert_true(pages[i] >= UC_GPA_RESERVED_START);
		assert_true(pages[i] + UC_PAGE_SIZE <= UC_GPA_RESERVED_END);
		assert_null(uc_mem_at(&mem, pages[i], 1));
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(pages[i], pages[j]);
	}
}

static void write_initrd(uint64_t len)
{
	static const uint8_t head[] = {0xab, 0xcd}, tail[] = {0x12, 0x34};

	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	assert_int_equal(pwrite(fd, head, 2, 0), 2);
	assert_int_equal(pwrite(fd, tail, 2, (off_t)len - 2), 2);
	boot.initrd = path;
}

static const struct hvm_modlist_entry *module(void)
{
	assert_int_equal(info()->nr_modules, 1);
	return at(info()->modlist_paddr, sizeof(struct hvm_modlist_entry));
}

static void the_initrd_is_high_and_page_aligned(void **state)
{
	const uint8_t *p;

	(void)state;
	write_initrd(5000);
	assert_int_equal(setup(), 0);
	assert_int_equal(module()->size, 5000);
	assert_int_equal(module()->paddr, uc_layout_acpi(&mem) - 2 * UC_PAGE_SIZE);
	assert_int_equal(module()->cmdline_paddr, 0);
	p = at(module()->paddr, 5000);
	assert_int_equal(p[0], 0xab);
	assert_int_equal(p[4999], 0x34);
	assert_int_equal(p[4998], 0x12);
}

static void the_initrd_is_below_the_hole(void **state)
{
	(void)state;
	new_mem(8192 * MIB);
	write_initrd(MIB);
	assert_int_equal(setup(), 0);
	assert_int_equal(module()->paddr, 0xdfff0000 - MIB);
}

static void the_largest_initrd_ends_at_the_kernel(void **state)
{
	uint64_t room = uc_layout_acpi(&mem) - kernel.high;

	(void)state;
	write_initrd(room);
	assert_int_equal(setup(), 0);
	assert_int_equal(module()->paddr, kernel.high);
	write_initrd(room + 1);
	assert_refused(setup(), ENOMEM, UC_EXIT_INITRD,
		       "of 24 MiB does not fit in 64 MiB of memory");
	assert_non_null(strstr(diag.text, "larger --memory"));
}

static void an_initrd_that_no_guest_can_hold_asks_for_a_smaller_one(void **state)
{
	(void)state;
	new_mem(8192 * MIB);
	write_initrd(3600 * MIB); /* a hole in a file */
	assert_refused(setup(), ENOMEM, UC_EXIT_INITRD, "smaller initrd");
}

static void initrds_that_cannot_be_read_say_why(void **state)
{
	(void)state;
	boot.initrd = "/nonexistent/initrd";
	assert_refused(setup(), ENOENT, UC_EXIT_INITRD, "No such file or directory");
	boot.initrd = "/tmp";
	assert_refused(setup(), EISDIR, UC_EXIT_INITRD, "not a regular file");
	boot.initrd = path;
	assert_refused(setup(), ENODATA, UC_EXIT_INITRD, "is empty");
}

/* Opening it must not wait for a writer. */
static void a_fifo_as_initrd_is_refused_at_once(void **state)
{
	char fifo[sizeof(path) + 8];

	(void)state;
	snprintf(fifo, sizeof(fifo), "%s.fifo", path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	boot.initrd = fifo;
	alarm(5);
	assert_refused(setup(), EINVAL, UC_EXIT_INITRD, "not a regular file");
	alarm(0);
	unlink(fifo);
}

static void a_second_setup_leaves_nothing_of_the_first(void **state)
{
	(void)state;
	write_initrd(5000);
	boot.cmdline = "a long command line";
	boot.cpus = 8;
	assert_int_equal(setup(), 0);
	boot.initrd = NULL;
	boot.cmdline = "short";
	assert_int_equal(setup(), 0);
	assert_int_equal(info()->nr_modules, 0);
	assert_int_equal(info()->modlist_paddr, 0);
	assert_string_equal(at(info()->cmdline_paddr, UC_CMDLINE_BYTES), "short");
	assert_memory_equal((const char *)at(info()->cmdline_paddr, UC_CMDLINE_BYTES) + 5,
			    "\0\0\0\0\0\0\0\0\0\0\0\0\0", 13);
}

/* --- ACPI --- */

static uint64_t le(const uint8_t *p, unsigned int bytes)
{
	uint64_t v = 0;

	memcpy(&v, p, bytes);
	return v;
}

static void assert_sums_to_zero(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
	assert_int_equal(sum, 0);
}

/* A table, wholly within the e820's ACPI range, with a right checksum. */
static const uint8_t *table(uint64_t gpa, const char *signature)
{
	const uint8_t *p = at(gpa, 36);
	uint64_t len = le(p + 4, 4);

	assert_memory_equal(p, signature, 4);
	assert_true(gpa >= uc_layout_acpi(&mem) && gpa + len <= mem.low_bytes);
	assert_sums_to_zero(at(gpa, len), len);
	return p;
}

static const uint8_t *xsdt(void)
{
	const uint8_t *rsdp = at(boot.rsdp_gpa, 36);

	assert_memory_equal(rsdp, "RSD PTR ", 8);
	assert_int_equal(boot.rsdp_gpa % 16, 0);
	assert_int_equal(rsdp[15], 2);
	assert_int_equal(le(rsdp + 20, 4), 36);
	assert_sums_to_zero(rsdp, 20);
	assert_sums_to_zero(rsdp, 36);
	return table(le(rsdp + 24, 8), "XSDT");
}

static const uint8_t *fadt(void)
{
	return table(le(xsdt() + 36, 8), "FACP");
}

static const uint8_t *madt(void)
{
	return table(le(xsdt() + 44, 8), "APIC");
}

static const uint8_t *dsdt(void)
{
	assert_int_equal(le(fadt() + 40, 4), le(fadt() + 140, 8));
	return table(le(fadt() + 140, 8), "DSDT");
}

static void the_fadt_is_hardware_reduced(void **state)
{
	const uint8_t *f;
	uint32_t flags;

	(void)state;
	assert_int_equal(setup(), 0);
	f = fadt();
	flags = (uint32_t)le(f + 112, 4);
	assert_int_equal(le(f + 4, 4), 276);
	assert_int_equal(f[8], 6);
	assert_true(flags & 1u << 20 && flags & 1u << 10);
	/* no VGA, no CMOS clock; no 8042, no legacy devices */
	assert_int_equal(le(f + 109, 2), 1u << 2 | 1u << 5);
	for (int i = 46; i < 109; i++) /* no SCI, no PM block, no GPE */
		assert_int_equal(f[i], 0);
	for (int i = 148; i < 244; i++)
		assert_int_equal(f[i], 0);
}

/* space 1: system I/O; 8 bits at 0, byte access */
static void assert_port(const uint8_t *gas, uint64_t number)
{
	static const uint8_t kind[] = {1, 8, 0, 1};

	assert_memory_equal(gas, kind, 4);
	assert_int_equal(le(gas + 4, 8), number);
}

static void sleep_and_reset_are_ports(void **state)
{
	(void)state;
	assert_int_equal(setup(), 0);
	assert_port(fadt() + 116, 0x604);
	assert_int_equal(fadt()[128], UC_ACPI_RESET_VALUE);
	assert_port(fadt() + 244, 0x600);
	assert_port(fadt() + 256, 0x601);
}

/* What Linux writes for S5: the first element of \_S5, shifted, with SLP_EN. */
static void the_s5_package_gives_the_poweroff_value(void **state)
{
	const uint8_t *d;

	(void)state;
	assert_int_equal(setup(), 0);
	d = dsdt();
	assert_memory_equal(d + 36, "\x08_S5_\x12\x08\x04\x0a", 9);
	assert_int_equal(d[45] << 2 | 0x20, UC_ACPI_SLEEP_POWEROFF);
	assert_int_equal(UC_ACPI_SLEEP_POWEROFF, 0x34);
	assert_int_equal(le(d + 4, 4), 36 + 14);
}

static void the_madt_lists_each_cpu_once(void **state)
{
	static const unsigned int counts[] = {1, 2, 8, UC_MAX_CPUS};

	(void)state;
	for (size_t n = 0; n < sizeof(counts) / sizeof(counts[0]); n++) {
		const uint8_t *m;

		boot.cpus = counts[n];
		assert_int_equal(setup(), 0);
		m = madt();
		assert_int_equal(le(m + 4, 4), 44 + 8 * counts[n]);
		assert_int_equal(le(m + 36, 4), 0xfee00000);
		assert_int_equal(le(m + 40, 4), 0); /* not PCAT_COMPAT */
		for (unsigned int i = 0; i < counts[n]; i++) {
			const uint8_t *e = m + 44 + 8 * i;

			assert_int_equal(le(e, 2), 8 << 8); /* type 0, 8 bytes */
			assert_int_equal(e[2], i);
			assert_int_equal(e[3], i);
			assert_int_equal(le(e + 4, 4), 1);
		}
	}
}

static void disassemble(const uint8_t *t)
{
	char cmd[256], file[sizeof(path) + 8], dsl[sizeof(path) + 8];
	uint64_t len = le(t + 4, 4);
	FILE *f;

	snprintf(file, sizeof(file), "%s.aml", path);
	snprintf(dsl, sizeof(dsl), "%s.dsl", path);
	f = fopen(file, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(t, 1, len, f), len);
	fclose(f);
	/* iasl says "Warning" or "Error" about what it dislikes, often with status 0. */
	snprintf(cmd, sizeof(cmd),
		 "iasl -d %s >%s.out 2>&1 && ! grep -Eiq 'warning|error|invalid' %s.out %s", file,
		 path, path, dsl);
	if (system(cmd) != 0)
		fail_msg("iasl -d does not accept the %.4s", (const char *)t);
	snprintf(cmd, sizeof(cmd), "rm -f %s %s %s.out", file, dsl, path);
	assert_int_equal(system(cmd), 0);
}

static void iasl_accepts_every_table(void **state)
{
	(void)state;
	if (system("command -v iasl >/dev/null") != 0) {
		print_message("skipped: no iasl (apt-get install acpica-tools)\n");
		skip();
	}
	boot.cpus = 4;
	assert_int_equal(setup(), 0);
	disassemble(xsdt());
	disassemble(fadt());
	disassemble(madt());
	disassemble(dsdt());
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(entry_and_start_info_are_returned),
		TEST(the_command_line_is_passed),
		TEST(a_command_line_of_2048_characters_is_refused),
		TEST(cpus_out_of_range_are_refused),
		TEST(the_map_of_a_small_guest),
		TEST(the_map_of_a_guest_beyond_4_gib),
		TEST(every_ram_range_of_the_map_is_ram),
		TEST(the_special_pages_are_reserved_and_not_ram),
		TEST(the_initrd_is_high_and_page_aligned),
		TEST(the_initrd_is_below_the_hole),
		TEST(the_largest_initrd_ends_at_the_kernel),
		TEST(an_initrd_that_no_guest_can_hold_asks_for_a_smaller_one),
		TEST(initrds_that_cannot_be_read_say_why),
		TEST(a_fifo_as_initrd_is_refused_at_once),
		TEST(a_second_setup_leaves_nothing_of_the_first),
		TEST(the_fadt_is_hardware_reduced),
		TEST(sleep_and_reset_are_ports),
		TEST(the_s5_package_gives_the_poweroff_value),
		TEST(the_madt_lists_each_cpu_once),
		TEST(iasl_accepts_every_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
