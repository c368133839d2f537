/* SPDX-License-Identifier: MIT */
/*
 * The tables are C structures after the ACPI 6.0 specification (section numbers beside them),
 * filled in host memory and copied out once. Little-endian host and guest: the VMM is x86-64.
 */
#include "vmm/boot/acpi.h"

#include <stddef.h>
#include <string.h>

#include "vmm/boot/layout.h"

#define PACKED	    __attribute__((packed))
#define TABLE_ALIGN __attribute__((aligned(64)))

struct acpi_header { /* 5.2.6 */
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum; /* all bytes of the table add up to 0 */
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} PACKED;

struct acpi_gas { /* 5.2.3.2, a register's address */
	uint8_t space;
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size;
	uint64_t address;
} PACKED;

#define GAS_SYSTEM_IO 1
#define GAS_BYTE      1 /* access_size */

struct acpi_rsdp { /* 5.2.5.3 */
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum; /* of all bytes */
	uint8_t reserved[3];
} PACKED;

struct acpi_fadt { /* 5.2.9; what a hardware-reduced machine ignores is left 0 */
	struct acpi_header header;
	uint32_t firmware_ctrl;
	uint32_t dsdt;
	uint8_t ignored_int_model;
	uint8_t preferred_pm_profile;
	uint8_t ignored_pm1[109 - 46]; /* SCI_INT up to CENTURY */
	uint16_t iapc_boot_arch;
	uint8_t reserved;
	uint32_t flags;
	struct acpi_gas reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor_version;
	uint64_t x_firmware_ctrl;
	uint64_t x_dsdt;
	struct acpi_gas ignored_x_pm[8]; /* X_PM1a_EVT_BLK up to X_GPE1_BLK */
	struct acpi_gas sleep_control;
	struct acpi_gas sleep_status;
	uint64_t hypervisor_vendor;
} PACKED;

_Static_assert(offsetof(struct acpi_fadt, iapc_boot_arch) == 109, "ACPI 6.0 table 5-34");
_Static_assert(offsetof(struct acpi_fadt, sleep_control) == 244, "ACPI 6.0 table 5-34");
_Static_assert(sizeof(struct acpi_fadt) == 276, "ACPI 6.0 table 5-34");

/* Legacy devices, 8042: their flags stay clear. Not set: MSI not supported, PCIe ASPM. */
#define BOOT_ARCH_NO_VGA	 (1u << 2)
#define BOOT_ARCH_NO_CMOS_RTC	 (1u << 5)

#define FADT_WBINVD		 (1u << 0)
#define FADT_POWER_BUTTON_DEVICE (1u << 4) /* set: not a fixed-hardware button */
#define FADT_SLEEP_BUTTON_DEVICE (1u << 5)
#define FADT_RESET_REG		 (1u << 10)
#define FADT_HW_REDUCED		 (1u << 20)

struct acpi_lapic { /* 5.2.12.2 */
	uint8_t type;
	uint8_t length;
	uint8_t acpi_processor_id;
	uint8_t apic_id;
	uint32_t flags;
} PACKED;

#define MADT_LAPIC	   0
#define MADT_LAPIC_ENABLED 1u
#define LAPIC_BASE	   0xfee00000u

/* Both ids are 8 bits, and 255 is the broadcast: more CPUs need x2APIC entries (5.2.12.12). */
_Static_assert(UC_MAX_CPUS < 255, "LAPIC entries cannot name more");

struct acpi_madt { /* 5.2.12; flags 0: no 8259 */
	struct acpi_header header;
	uint32_t lapic_base;
	uint32_t flags;
	struct acpi_lapic lapic[UC_MAX_CPUS];
} PACKED;

struct acpi_xsdt { /* 5.2.8 */
	struct acpi_header header;
	uint64_t table[2];
} PACKED;

/*
 * Name (\_S5, Package (4) {5, 5, 0, 0}): AML NameOp, name, PackageOp, PkgLength 8 (itself, the
 * count and 6 bytes), 4 elements: two BytePrefix 5, two ZeroOp. Linux needs no processor objects
 * for CPUs that the MADT lists.
 */
#define AML_S5                                                                                     \
	0x08, '_', 'S', '5', '_', 0x12, 0x08, 0x04, 0x0a, UC_ACPI_S5_TYPE, 0x0a, UC_ACPI_S5_TYPE,  \
		0x00, 0x00

static const uint8_t aml[] = {AML_S5};

struct acpi_dsdt {
	struct acpi_header header;
	uint8_t aml[sizeof(aml)];
} PACKED;

struct tables {
	struct acpi_rsdp rsdp TABLE_ALIGN;
	struct acpi_xsdt xsdt TABLE_ALIGN;
	struct acpi_fadt fadt TABLE_ALIGN;
	struct acpi_dsdt dsdt TABLE_ALIGN;
	struct acpi_madt madt TABLE_ALIGN; /* last: its length depends on the CPUs */
};

_Static_assert(sizeof(struct tables) <= UC_ACPI_BYTES, "the e820 range holds the tables");

/* What makes all `len` bytes add up to 0; the checksum's own byte must still be 0. */
static uint8_t checksum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *p++);
	return (uint8_t)-sum;
}

/* To be called last for each table: it seals the contents with the checksum. */
static void seal(void *table, const char signature[4], uint8_t revision, size_t len)
{
	struct acpi_header *h = table;

	memcpy(h->signature, signature, sizeof(h->signature));
	h->length = (uint32_t)len;
	h->revision = revision;
	memcpy(h->oem_id, "UPCALL", sizeof(h->oem_id));
	memcpy(h->oem_table_id, "UPCALLVM", sizeof(h->oem_table_id));
	h->oem_revision = 1;
	memcpy(h->creator_id, "UPCL", sizeof(h->creator_id));
	h->creator_revision = 1;
	h->checksum = 0;
	h->checksum = checksum(table, len);
}

static struct acpi_gas port(uint16_t number)
{
	return (struct acpi_gas){
		.space = GAS_SYSTEM_IO, .bit_width = 8, .access_size = GAS_BYTE, .address = number};
}

static void fill_rsdp(struct acpi_rsdp *rsdp, uint64_t xsdt)
{
	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, "UPCALL", sizeof(rsdp->oem_id));
	rsdp->revision = 2;
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt = xsdt;
	rsdp->checksum = checksum(rsdp, offsetof(struct acpi_rsdp, length));
	rsdp->extended_checksum = checksum(rsdp, sizeof(*rsdp));
}

static void fill_fadt(struct acpi_fadt *fadt, uint64_t dsdt)
{
	fadt->dsdt = (uint32_t)dsdt;
	fadt->x_dsdt = dsdt;
	fadt->iapc_boot_arch = BOOT_ARCH_NO_VGA | BOOT_ARCH_NO_CMOS_RTC;
	fadt->flags = FADT_WBINVD | FADT_POWER_BUTTON_DEVICE | FADT_SLEEP_BUTTON_DEVICE |
		      FADT_RESET_REG | FADT_HW_REDUCED;
	fadt->reset_reg = port(UC_ACPI_RESET);
	fadt->reset_value = UC_ACPI_RESET_VALUE;
	fadt->sleep_control = port(UC_ACPI_SLEEP_CONTROL);
	fadt->sleep_status = port(UC_ACPI_SLEEP_STATUS);
	memcpy(&fadt->hypervisor_vendor, "UPCALLVM", sizeof(fadt->hypervisor_vendor));
	seal(fadt, "FACP", 6, sizeof(*fadt));
}

static void fill_madt(struct acpi_madt *madt, unsigned int cpus)
{
	madt->lapic_base = LAPIC_BASE;
	for (unsigned int i = 0; i < cpus; i++)
		madt->lapic[i] = (struct acpi_lapic){
			.type = MADT_LAPIC,
			.length = sizeof(struct acpi_lapic),
			.acpi_processor_id = (uint8_t)i,
			.apic_id = (uint8_t)i,
			.flags = MADT_LAPIC_ENABLED,
		};
	seal(madt, "APIC", 3, offsetof(struct acpi_madt, lapic) + cpus * sizeof(madt->lapic[0]));
}

uint64_t uc_acpi_write(uint8_t *to, uint64_t gpa, unsigned int cpus)
{
	struct tables t;

	memset(&t, 0, sizeof(t));
	fill_rsdp(&t.rsdp, gpa + offsetof(struct tables, xsdt));
	t.xsdt.table[0] = gpa + offsetof(struct tables, fadt);
	t.xsdt.table[1] = gpa + offsetof(struct tables, madt);
	seal(&t.xsdt, "XSDT", 1, sizeof(t.xsdt));
	fill_fadt(&t.fadt, gpa + offsetof(struct tables, dsdt));
	memcpy(t.dsdt.aml, aml, sizeof(aml));
	seal(&t.dsdt, "DSDT", 2, sizeof(t.dsdt));
	fill_madt(&t.madt, cpus);
	memcpy(to, &t, sizeof(t));
	memset(to + sizeof(t), 0, UC_ACPI_BYTES - sizeof(t));
	return gpa + offsetof(struct tables, rsdp);
}
