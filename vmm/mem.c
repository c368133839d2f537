/* SPDX-License-Identifier: MIT */
#include "vmm/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

int uc_mem_init(struct uc_mem *mem, uint64_t bytes, struct uc_diag *diag)
{
	void *base;

	memset(mem, 0, sizeof(*mem));
	if (bytes < UC_MEM_MIN || bytes > UC_MEM_MAX || bytes % UC_PAGE_SIZE)
		return uc_fail(diag, UC_EXIT_MEMORY, EINVAL,
			       "memory of %llu bytes is out of range: give 64M to 1T",
			       (unsigned long long)bytes);
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return uc_fail(
			diag, UC_EXIT_MEMORY, errno,
			"cannot reserve %llu MiB of guest memory: %s; give a smaller --memory",
			(unsigned long long)(bytes >> 20), strerror(errno));
	mem->base = base;
	mem->low_bytes = bytes < UC_MEM_HOLE_START ? bytes : UC_MEM_HOLE_START;
	mem->high_bytes = bytes - mem->low_bytes;
	return 0;
}

void uc_mem_destroy(struct uc_mem *mem)
{
	if (mem->base)
		munmap(mem->base, mem->low_bytes + mem->high_bytes);
	memset(mem, 0, sizeof(*mem));
}

void *uc_mem_at(const struct uc_mem *mem, uint64_t gpa, uint64_t len)
{
	if (gpa < mem->low_bytes && len <= mem->low_bytes - gpa)
		return mem->base + gpa;
	if (gpa >= UC_MEM_4G && gpa - UC_MEM_4G < mem->high_bytes &&
	    len <= mem->high_bytes - (gpa - UC_MEM_4G))
		return mem->base + mem->low_bytes + (gpa - UC_MEM_4G);
	return NULL;
}
