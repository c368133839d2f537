/* SPDX-License-Identifier: MIT */
#include "vmm/xen/gnttab.h"

#include <errno.h>
#include <string.h>

#include <upcall/abi.h>

#include <xen/xen.h>

#include <xen/grant_table.h>

#include "vmm/xen/grants.h"

/* As Xen: a guest that changes an entry this often while it is being marked has lost it. */
#define MARK_TRIES 4

/* An entry as two words, so that flags and domid change together. */
struct entry {
	uc_g32 head; /* flags in the low half, domid in the high half */
	uc_g32 frame;
};

_Static_assert(sizeof(struct entry) == sizeof(grant_entry_v1_t), "a version 1 entry");

struct uc_gnttab uc_gnttab_of(const struct uc_grants *grants, const struct uc_mem *mem)
{
	return (struct uc_gnttab){.entries = grants->base,
				  .nr_entries = UC_GRANT_FRAMES_MAX * UC_PAGE_SIZE /
						sizeof(struct entry),
				  .mem = mem};
}

static struct entry *entry_at(const struct uc_gnttab *t, uint32_t ref)
{
	return ref < t->nr_entries ? (struct entry *)t->entries + ref : NULL;
}

static uint32_t in_use(bool write)
{
	return write ? GTF_reading | GTF_writing : GTF_reading;
}

/* Is this a grant of a whole page to domain 0, for this kind of access? */
static bool permits(uint32_t head, bool write)
{
	if ((head & GTF_type_mask) != GTF_permit_access || head >> 16 != UC_DOMID_HOST)
		return false;
	return !(head & GTF_sub_page) && !(write && (head & GTF_readonly));
}

void *uc_gnttab_begin(const struct uc_gnttab *t, uint32_t ref, bool write)
{
	struct entry *e = entry_at(t, ref);
	uint32_t head, frame;
	void *page;

	if (!e)
		return NULL;
	head = __atomic_load_n(&e->head.raw, __ATOMIC_RELAXED);
	for (int i = 0;; i++) {
		if (i == MARK_TRIES || !permits(head, write))
			return NULL;
		/* Acquire: pairs with the guest's barrier between writing the frame and the flags.
		 */
		if (__atomic_compare_exchange_n(&e->head.raw, &head, head | in_use(write), false,
						__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			break;
	}
	frame = __atomic_load_n(&e->frame.raw, __ATOMIC_RELAXED);
	page = uc_mem_at(t->mem, (uint64_t)frame * UC_PAGE_SIZE, UC_PAGE_SIZE);
	if (!page)
		uc_gnttab_end(t, ref, write);
	return page;
}

void uc_gnttab_end(const struct uc_gnttab *t, uint32_t ref, bool write)
{
	/* Release: our accesses to the page come before the guest may take it back. No loop: the
	 * old value is not needed. */
	__atomic_fetch_and(&entry_at(t, ref)->head.raw, ~in_use(write), __ATOMIC_RELEASE);
}

static bool in_page(uint32_t offset, uint32_t len)
{
	return offset <= UC_PAGE_SIZE && len <= UC_PAGE_SIZE - offset;
}

int uc_gnttab_read(const struct uc_gnttab *t, uint32_t ref, uint32_t offset, void *to, uint32_t len)
{
	const uint8_t *page;

	if (!in_page(offset, len))
		return -EINVAL;
	page = uc_gnttab_begin(t, ref, false);
	if (!page)
		return -EACCES;
	memcpy(to, page + offset, len);
	uc_gnttab_end(t, ref, false);
	return 0;
}

int uc_gnttab_write(const struct uc_gnttab *t, uint32_t ref, uint32_t offset, const void *from,
		    uint32_t len)
{
	uint8_t *page;

	if (!in_page(offset, len))
		return -EINVAL;
	page = uc_gnttab_begin(t, ref, true);
	if (!page)
		return -EACCES;
	memcpy(page + offset, from, len);
	uc_gnttab_end(t, ref, true);
	return 0;
}
