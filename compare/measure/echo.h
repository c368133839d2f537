/* SPDX-License-Identifier: MIT */
/*
 * Sends requests to a guest at random (Poisson) times and takes the time of each answer. An open
 * loop: a slow answer delays no other request, so waiting is not hidden. One thread, the caller's.
 *
 * Where the kernel can stamp an answer's arrival (ICMP, UDP), that stamp is used: then a caller
 * that gets its CPU late is not measured.
 */
#ifndef UPCALL_COMPARE_MEASURE_ECHO_H
#define UPCALL_COMPARE_MEASURE_ECHO_H

#include <netinet/in.h>
#include <stdint.h>

#include "compare/measure/measure.h"

#define UC_ECHO_SOURCES	  8 /* addresses on our side, so that the guest's queues all get some */
#define UC_ECHO_HTTP_MAX  128
#define UC_ECHO_LOST_S	  5
#define UC_ECHO_NO_ANSWER INT64_MIN /* as latency_ns: none yet, or none in time */

struct uc_echo_sample {
	uint64_t sent_ns; /* CLOCK_REALTIME */
	int64_t latency_ns;
	uint32_t window;
	uint32_t probe;
};

/* A connection or socket that answers come to. */
struct uc_echo_socket {
	int fd;
	enum uc_probe probe;
	uint32_t used;	/* of `frame`: bytes of an answer that is not whole; HTTP: of a page */
	uint32_t asked; /* HTTP: the request it carries */
	char frame[16];
};

struct uc_echo {
	int epoll_fd;
	uint64_t random;
	double rate_hz;
	enum uc_probe probes[UC_PROBES]; /* those in use */
	uint32_t nr_probes;
	struct sockaddr_in guest;
	struct in_addr sources[UC_ECHO_SOURCES];
	struct uc_echo_socket sockets[UC_PROBES][UC_ECHO_SOURCES];
	struct uc_echo_socket http[UC_ECHO_HTTP_MAX];

	struct uc_echo_sample *samples; /* by the number that a request carries */
	uint32_t nr_samples, max_samples, first_open, nr_open;
};

/* `addresses`: UC_ECHO_SOURCES of them are on this machine. -errno, `diag`. */
int uc_echo_open(struct uc_echo *echo, const struct uc_compare_config *config, const char *guest,
		 const char *const *addresses, struct uc_diag *diag);
void uc_echo_close(struct uc_echo *echo);

/*
 * Send for `duration_ns`, then wait until every request is answered or lost. The samples of this
 * window are those from echo->samples[nr_samples before the call]. -errno; -EINTR at once when
 * uc_host_told_to_stop().
 */
int uc_echo_window(struct uc_echo *echo, uint32_t window, uint64_t duration_ns);

#endif
