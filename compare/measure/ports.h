/* SPDX-License-Identifier: MIT */
/* What the two sides of a comparison know of each other: the target guest's servers. */
#ifndef UPCALL_COMPARE_MEASURE_PORTS_H
#define UPCALL_COMPARE_MEASURE_PORTS_H

#define UC_COMPARE_ECHO_PORT 7 /* UDP and TCP */
#define UC_COMPARE_CONTROL_PORT                                                                    \
	9 /* UDP: "busy SEQ", "idle SEQ", "work SEQ" -> the same and loops */
#define UC_COMPARE_HTTP_PORT 80

#endif
