/* SPDX-License-Identifier: MIT */
/*
 * ACPI for a machine with LAPICs and nothing else: RSDP -> XSDT -> FADT -> DSDT, and a MADT from
 * which Linux learns its CPUs. Hardware-reduced: no PM timer, no SCI, no PIC, no IOAPIC. The tables
 * lie at the top of low RAM, in an e820 range of type 3, which Linux never allocates from.
 *
 * The guest reaches two registers through I/O ports, one byte each; the KVM loop handles them:
 *
 *   UC_ACPI_SLEEP_CONTROL  write: UC_ACPI_SLEEP_POWEROFF asks for S5: the guest has powered off.
 *                          Any other value has no effect (no other state is offered).
 *   UC_ACPI_SLEEP_STATUS   read: 0, the machine never woke. A write clears the wake bit: ignore
 *                          it (Linux writes 0x80 before it sleeps).
 *   UC_ACPI_RESET          write: UC_ACPI_RESET_VALUE asks for a reboot. Any other value has no
 *                          effect.
 */
#ifndef UPCALL_VMM_BOOT_ACPI_H
#define UPCALL_VMM_BOOT_ACPI_H

#include <stdint.h>

#define UC_ACPI_SLEEP_CONTROL 0x600u
#define UC_ACPI_SLEEP_STATUS  0x601u
#define UC_ACPI_RESET	      0x604u

/* SLP_TYP is bits 2-4, SLP_EN bit 5 (ACPI 6.0, table 4-25); the type is what \_S5 says. */
#define UC_ACPI_S5_TYPE	       5u
#define UC_ACPI_SLEEP_POWEROFF (UC_ACPI_S5_TYPE << 2 | 1u << 5)
#define UC_ACPI_RESET_VALUE    1u

/*
 * Write the tables for `cpus` (1 to UC_MAX_CPUS) vCPUs to `to`, UC_ACPI_BYTES of memory that the
 * guest sees at `gpa`, zeroing the rest. MADT: processor n has ACPI id n (Linux takes it for the
 * Xen vCPU id) and APIC id n. Returns the RSDP's guest-physical address.
 */
uint64_t uc_acpi_write(uint8_t *to, uint64_t gpa, unsigned int cpus);

#endif
