/* SPDX-License-Identifier: MIT */
/* Fixed parts of the HTML page. Private; called by html.c. */
#ifndef UPCALL_COMPARE_REPORT_PAGE_H
#define UPCALL_COMPARE_REPORT_PAGE_H

extern const char uc_page_head[];    /* to the end of <head>, but for the title's text */
extern const char uc_page_style[];   /* and the style, which ends <head> */
extern const char uc_page_meaning[]; /* what the numbers mean, in short */

#endif
