/* SPDX-License-Identifier: MIT */
/* The store behind the stream: grows, finds a window by its id, and says whether a run is whole. */
#include "compare/report/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct uc_records *uc_records_new(void)
{
	return calloc(1, sizeof(struct uc_records));
}

void uc_records_free(struct uc_records *records)
{
	if (!records)
		return;
	for (size_t i = 0; i < records->windows; i++) {
		free(records->window[i].upcalls);
		free(records->window[i].events);
	}
	free(records->window);
	free(records->window_of_id);
	free(records->sample);
	free(records);
}

const struct uc_window *uc_window_by_id(const struct uc_records *records, uint32_t id)
{
	if (id >= records->ids || records->window_of_id[id] < 0)
		return NULL;
	return &records->window[records->window_of_id[id]];
}

static int grow(void **array, size_t *cap, size_t need, size_t size)
{
	size_t n = *cap ? *cap : 64;
	void *p;

	if (need <= *cap)
		return 0;
	while (n < need)
		n *= 2;
	p = realloc(*array, n * size);
	if (!p)
		return -ENOMEM;
	*array = p;
	*cap = n;
	return 0;
}

struct uc_window *uc_records_window_slot(struct uc_records *records)
{
	struct uc_window *slot;

	if (grow((void **)&records->window, &records->windows_cap, records->windows + 1,
		 sizeof(*records->window)))
		return NULL;
	slot = &records->window[records->windows];
	memset(slot, 0, sizeof(*slot));
	return slot;
}

int uc_records_window_keep(struct uc_records *records)
{
	size_t id = (size_t)records->window[records->windows].id;
	size_t old = records->ids;

	if (grow((void **)&records->window_of_id, &records->ids, id + 1,
		 sizeof(*records->window_of_id)))
		return -ENOMEM;
	for (size_t i = old; i < records->ids; i++)
		records->window_of_id[i] = -1;
	records->window_of_id[id] = (int32_t)records->windows++;
	return 0;
}

int uc_records_samples_reserve(struct uc_records *records, size_t more)
{
	return grow((void **)&records->sample, &records->samples_cap, records->samples + more,
		    sizeof(*records->sample));
}

bool uc_records_progress(const struct uc_records *records, struct uc_run_progress *progress)
{
	if (records->has_progress)
		*progress = records->progress;
	return records->has_progress;
}

int uc_records_finish(struct uc_records *records, struct uc_diag *diag)
{
	if (!records->has_about)
		return uc_fail(diag, UC_EXIT_INTERNAL, EINVAL,
			       "the measurement ended before it said anything: run it again with "
			       "the guest's console shown");
	for (size_t i = 0; i < records->windows; i++)
		if (records->window[i].phase == UC_PHASE_LOAD)
			return 0;
	return uc_fail(diag, UC_EXIT_INTERNAL, EINVAL,
		       "the measurement ended before its first window under load: there is nothing "
		       "to report");
}
