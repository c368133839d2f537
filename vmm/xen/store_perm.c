/* SPDX-License-Identifier: MIT */
#include "vmm/xen/store_perm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UC_STORE_ALL (UC_STORE_READ | UC_STORE_WRITE | UC_STORE_OWNER)

static const char letters[] = "nrwb"; /* indexed by the two access bits */

unsigned uc_store_perms_of(const struct uc_store_perms *perms, uint16_t domid)
{
	if (domid == 0 || perms->p[0].domid == domid)
		return UC_STORE_ALL;
	for (unsigned i = 1; i < perms->n; i++)
		if (perms->p[i].domid == domid)
			return perms->p[i].access;
	return perms->p[0].access;
}

int uc_store_domid_parse(uint16_t *domid, const char *text)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long value;

	if (!digits || text[digits] || digits > 5)
		return -EINVAL;
	value = strtoul(text, NULL, 10);
	if (value > UINT16_MAX)
		return -EINVAL;
	*domid = (uint16_t)value;
	return 0;
}

int uc_store_perm_parse(struct uc_store_perm *perm, const char *text)
{
	const char *letter = *text ? strchr(letters, *text) : NULL;

	if (!letter)
		return -EINVAL;
	perm->access = (uint8_t)(letter - letters);
	return uc_store_domid_parse(&perm->domid, text + 1);
}

void uc_store_perm_format(const struct uc_store_perm *perm, char text[UC_STORE_PERM_TEXT])
{
	snprintf(text, UC_STORE_PERM_TEXT, "%c%u", letters[perm->access & 3], perm->domid);
}
