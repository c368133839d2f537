/* SPDX-License-Identifier: MIT */
/*
 * Is a domain's private state sound? Nothing here believes a guest word, so it must hold whatever
 * the guest wrote. Asked while nobody is inside the library: by the explorer after each schedule,
 * by the fuzz targets after each operation.
 */
#ifndef TESTS_EXPLORE_RECORDS_H
#define TESTS_EXPLORE_RECORDS_H

#include <upcall/evtchn.h>

/* NULL, or what is wrong. */
const char *records_check(const struct uc_domain *d);

#endif
