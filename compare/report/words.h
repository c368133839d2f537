/* SPDX-License-Identifier: MIT */
/* Numbers as words, the same in the table and on the page. Private. */
#ifndef UPCALL_COMPARE_REPORT_WORDS_H
#define UPCALL_COMPARE_REPORT_WORDS_H

#include <stddef.h>

#include "compare/report/stats.h"

/* us, shown in ms: "0.310", "41.20"; "lost"; "-" where unknown. */
void uc_words_ms(char *text, size_t size, double us);
/* "41.20 [38.00, 44.10]" */
void uc_words_ms_estimate(char *text, size_t size, const struct uc_estimate *e);
/* "34 [25, 44]", "34 [25, no bound]", "beyond measure (at least 25)", "-". */
void uc_words_ratio(char *text, size_t size, const struct uc_estimate *e);
/* Of parts: "+1.2 % [-0.3, +2.8]". */
void uc_words_change(char *text, size_t size, const struct uc_estimate *e);
/* "0.9981", "1234", "45.6 M": four digits. */
void uc_words_number(char *text, size_t size, double value);

#endif
