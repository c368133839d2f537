/* SPDX-License-Identifier: MIT */
/*
 * The raw samples, one a row, in the order in which they came. A lost one has the latency `inf`,
 * which what reads CSV (R, pandas, numpy) takes for a number above all others. Names are plain
 * (records.h), so nothing needs quotes.
 */
#include <errno.h>
#include <inttypes.h>

#include "compare/report/numbers.h"

static void row(const struct uc_records *r, const struct uc_sample *s, const struct uc_window *w,
		FILE *out)
{
	fprintf(out, "%" PRIu32 ",%s,%s,%s,%" PRId64 ",", s->window_id,
		w->phase == UC_PHASE_IDLE ? "idle" : "load", r->about.policy[w->policy],
		r->about.probe[s->probe], s->sent_us);
	if (s->latency_us == UC_LATENCY_US_LOST)
		fputs("inf\n", out);
	else
		fprintf(out, "%" PRId64 "\n", s->latency_us);
}

int uc_report_csv(const struct uc_report *report, FILE *out, struct uc_diag *diag)
{
	const struct uc_records *r = report->records;

	fputs("window,phase,policy,probe,sent_us,latency_us\n", out);
	for (size_t i = 0; i < r->samples; i++) {
		const struct uc_window *w = uc_window_by_id(r, r->sample[i].window_id);

		if (w)
			row(r, &r->sample[i], w, out);
	}
	if (fflush(out) || ferror(out))
		return uc_fail(diag, UC_EXIT_INTERNAL, EIO, "the CSV could not be written");
	return 0;
}
