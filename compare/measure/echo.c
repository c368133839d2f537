/* SPDX-License-Identifier: MIT */
#include "compare/measure/echo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "compare/measure/host.h"
#include "compare/measure/ports.h"

#define MAGIC	  0x7570636cu
#define BURST_MAX 64 /* answers taken from one socket before the clock is looked at again */
#define NS	  1000000000ull
/* A signal that comes between a look at it and a wait is seen at the next look. */
#define LOOK_NS 100000000ull

static const char http_request[] = "GET / HTTP/1.0\r\n\r\n";

/* What every request carries and every answer brings back. */
struct frame {
	uint32_t magic, number;
	uint64_t pad;
};

_Static_assert(sizeof(struct frame) == sizeof(((struct uc_echo_socket *)0)->frame), "one frame");

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

/* xorshift64*: enough for arrival times, and the same on every machine. */
static uint64_t next_random(struct uc_echo *e)
{
	e->random ^= e->random >> 12;
	e->random ^= e->random << 25;
	e->random ^= e->random >> 27;
	return e->random * 0x2545f4914f6cdd1dull;
}

static uint64_t next_gap_ns(struct uc_echo *e)
{
	double unit = ((double)(next_random(e) >> 11) + 1) / 9007199254740993.0;

	return (uint64_t)(-log(unit) / e->rate_hz * 1e9);
}

/* ---- sockets ---- */

static int watch(struct uc_echo *e, struct uc_echo_socket *s, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = s};

	return epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, s->fd, &event) ? -errno : 0;
}

static int open_from(const struct uc_echo *e, uint32_t source, int type, int protocol)
{
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = e->sources[source]};
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol), on = 1, rc;

	if (fd < 0)
		return -errno;
	if (!bind(fd, (struct sockaddr *)&from, sizeof(from)) &&
	    !setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)))
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static struct sockaddr_in guest_port(const struct uc_echo *e, uint16_t port)
{
	struct sockaddr_in to = e->guest;

	to.sin_port = htons(port);
	return to;
}

/* A standing connection of the TCP probe; blocking until it is there. */
static int connect_tcp(struct uc_echo *e, struct uc_echo_socket *s)
{
	struct sockaddr_in to = guest_port(e, UC_COMPARE_ECHO_PORT);
	int on = 1, flags = fcntl(s->fd, F_GETFL);

	fcntl(s->fd, F_SETFL, flags & ~O_NONBLOCK);
	if (connect(s->fd, (struct sockaddr *)&to, sizeof(to)) ||
	    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		return -errno;
	fcntl(s->fd, F_SETFL, flags);
	return 0;
}

static int open_socket(struct uc_echo *e, enum uc_probe probe, uint32_t source)
{
	struct uc_echo_socket *s = &e->sockets[probe][source];
	int rc = 0;

	s->probe = probe;
	if (probe == UC_PROBE_ICMP)
		s->fd = open_from(e, source, SOCK_RAW, IPPROTO_ICMP);
	else
		s->fd = open_from(e, source, probe == UC_PROBE_TASK ? SOCK_DGRAM : SOCK_STREAM, 0);
	if (s->fd < 0)
		return s->fd;
	if (probe == UC_PROBE_TCP)
		rc = connect_tcp(e, s);
	return rc ? rc : watch(e, s, EPOLLIN);
}

static int open_sockets(struct uc_echo *e)
{
	int rc = 0;

	for (uint32_t i = 0; i < e->nr_probes && !rc; i++)
		for (uint32_t n = 0; n < UC_ECHO_SOURCES && !rc; n++)
			if (e->probes[i] != UC_PROBE_HTTP)
				rc = open_socket(e, e->probes[i], n);
	return rc;
}

static void mark_closed(struct uc_echo *e)
{
	for (int probe = 0; probe < UC_PROBES; probe++)
		for (int n = 0; n < UC_ECHO_SOURCES; n++)
			e->sockets[probe][n].fd = -1;
	for (int i = 0; i < UC_ECHO_HTTP_MAX; i++)
		e->http[i] = (struct uc_echo_socket){.fd = -1, .probe = UC_PROBE_HTTP};
}

int uc_echo_open(struct uc_echo *e, const struct uc_compare_config *config, const char *guest,
		 const char *const *addresses, struct uc_diag *diag)
{
	int rc;

	memset(e, 0, sizeof(*e));
	mark_closed(e);
	e->random = config->seed * 0x9e3779b97f4a7c15ull | 1;
	e->rate_hz = config->rate_hz;
	e->guest.sin_family = AF_INET;
	inet_pton(AF_INET, guest, &e->guest.sin_addr);
	for (int i = 0; i < UC_ECHO_SOURCES; i++)
		inet_pton(AF_INET, addresses[i], &e->sources[i]);
	for (int probe = 0; probe < UC_PROBES; probe++)
		if (config->probes[probe])
			e->probes[e->nr_probes++] = (enum uc_probe)probe;
	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	rc = e->epoll_fd < 0 ? -errno : open_sockets(e);
	if (rc)
		return uc_fail(diag, UC_EXIT_INTERNAL, -rc, "cannot reach the guest at %s: %s",
			       guest, strerror(-rc));
	return 0;
}

static void close_socket(struct uc_echo_socket *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void uc_echo_close(struct uc_echo *e)
{
	for (int probe = 0; probe < UC_PROBES; probe++)
		for (int n = 0; n < UC_ECHO_SOURCES; n++)
			close_socket(&e->sockets[probe][n]);
	for (int i = 0; i < UC_ECHO_HTTP_MAX; i++)
		close_socket(&e->http[i]);
	if (e->epoll_fd >= 0)
		close(e->epoll_fd);
	free(e->samples);
	e->samples = NULL;
}

/* ---- requests ---- */

static uint16_t checksum(const void *data, size_t bytes)
{
	const uint8_t *at = data;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < bytes; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void send_icmp(const struct uc_echo *e, const struct uc_echo_socket *s, struct frame frame)
{
	struct {
		struct icmphdr header;
		struct frame frame;
	} packet = {.header = {.type = ICMP_ECHO}, .frame = frame};

	packet.header.un.echo.id = htons((uint16_t)getpid());
	packet.header.un.echo.sequence = htons((uint16_t)frame.number);
	packet.header.checksum = checksum(&packet, sizeof(packet));
	sendto(s->fd, &packet, sizeof(packet), 0, (const struct sockaddr *)&e->guest,
	       sizeof(e->guest));
}

static void send_udp(const struct uc_echo *e, const struct uc_echo_socket *s, struct frame frame)
{
	struct sockaddr_in to = guest_port(e, UC_COMPARE_ECHO_PORT);

	sendto(s->fd, &frame, sizeof(frame), 0, (const struct sockaddr *)&to, sizeof(to));
}

static struct uc_echo_socket *free_http(struct uc_echo *e)
{
	for (int i = 0; i < UC_ECHO_HTTP_MAX; i++)
		if (e->http[i].fd < 0)
			return &e->http[i];
	return NULL;
}

/* With all connections in use the request counts as sent, and as lost: the server is behind. */
static void start_http(struct uc_echo *e, uint32_t source, uint32_t number)
{
	struct sockaddr_in to = guest_port(e, UC_COMPARE_HTTP_PORT);
	struct uc_echo_socket *s = free_http(e);

	if (!s)
		return;
	s->fd = open_from(e, source, SOCK_STREAM, 0);
	s->used = 0;
	s->asked = number;
	if (s->fd < 0)
		return;
	if ((connect(s->fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS) ||
	    watch(e, s, EPOLLOUT))
		close_socket(s);
}

static int note_sent(struct uc_echo *e, uint32_t window, enum uc_probe probe)
{
	if (e->nr_samples == e->max_samples) {
		uint32_t max = e->max_samples ? 2 * e->max_samples : 65536;
		struct uc_echo_sample *grown = realloc(e->samples, max * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		e->samples = grown;
		e->max_samples = max;
	}
	e->samples[e->nr_samples++] = (struct uc_echo_sample){
		.sent_ns = now_ns(),
		.latency_ns = UC_ECHO_NO_ANSWER,
		.window = window,
		.probe = probe,
	};
	e->nr_open++;
	return 0;
}

/* A request that cannot be sent stays without an answer: it is lost. */
static int send_one(struct uc_echo *e, uint32_t window)
{
	uint64_t random = next_random(e) >> 16;
	enum uc_probe probe = e->probes[random % e->nr_probes];
	uint32_t source = (uint32_t)(random / e->nr_probes % UC_ECHO_SOURCES);
	struct uc_echo_socket *s = &e->sockets[probe][source];
	struct frame frame = {.magic = MAGIC, .number = e->nr_samples};
	int rc = note_sent(e, window, probe);

	if (rc)
		return rc;
	if (probe == UC_PROBE_ICMP)
		send_icmp(e, s, frame);
	else if (probe == UC_PROBE_TASK)
		send_udp(e, s, frame);
	else if (probe == UC_PROBE_TCP)
		(void)!write(s->fd, &frame, sizeof(frame));
	else
		start_http(e, source, frame.number);
	return 0;
}

/* ---- answers ---- */

static void note_answer(struct uc_echo *e, uint32_t number, uint64_t when_ns)
{
	struct uc_echo_sample *sample = &e->samples[number];

	if (number < e->first_open || number >= e->nr_samples ||
	    sample->latency_ns != UC_ECHO_NO_ANSWER)
		return; /* late, or of another run */
	sample->latency_ns = (int64_t)(when_ns - sample->sent_ns);
	e->nr_open--;
}

static void note_frame(struct uc_echo *e, const void *data, uint64_t when_ns)
{
	struct frame frame;

	memcpy(&frame, data, sizeof(frame));
	if (frame.magic == MAGIC)
		note_answer(e, frame.number, when_ns);
}

static uint64_t stamp_of(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct timespec t;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&t, CMSG_DATA(c), sizeof(t));
		return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
	}
	return now_ns();
}

/* The frame of an ICMP answer, behind the two headers; NULL for any other packet. */
static const void *icmp_frame(const char *packet, size_t bytes)
{
	size_t ip = (size_t)(packet[0] & 15) * 4;
	struct icmphdr header;

	if (bytes < ip + sizeof(header) + sizeof(struct frame))
		return NULL;
	memcpy(&header, packet + ip, sizeof(header));
	if (header.type != ICMP_ECHOREPLY || header.un.echo.id != htons((uint16_t)getpid()))
		return NULL;
	return packet + ip + sizeof(header);
}

/* False when there is no more. */
static bool take_packet(struct uc_echo *e, const struct uc_echo_socket *s)
{
	char packet[512], control[128];
	struct iovec iov = {packet, sizeof(packet)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(s->fd, &msg, 0);
	const void *frame = packet;

	if (n < 0)
		return errno == EINTR || errno == ECONNREFUSED;
	if (s->probe == UC_PROBE_ICMP)
		frame = n > 0 ? icmp_frame(packet, (size_t)n) : NULL;
	else if ((size_t)n < sizeof(struct frame))
		frame = NULL;
	if (frame)
		note_frame(e, frame, stamp_of(&msg));
	return true;
}

static bool take_stream(struct uc_echo *e, struct uc_echo_socket *s)
{
	ssize_t n = read(s->fd, s->frame + s->used, sizeof(s->frame) - s->used);

	if (n <= 0)
		return n < 0 && errno == EINTR;
	s->used += (uint32_t)n;
	if (s->used == sizeof(s->frame)) {
		note_frame(e, s->frame, now_ns());
		s->used = 0;
	}
	return true;
}

/* A page ends with the connection; one that is empty is no answer. */
static bool take_page(struct uc_echo *e, struct uc_echo_socket *s)
{
	char data[4096];
	ssize_t n = read(s->fd, data, sizeof(data));

	if (n < 0)
		return errno == EINTR;
	s->used += (uint32_t)n;
	if (n > 0)
		return true;
	if (s->used)
		note_answer(e, s->asked, now_ns());
	close_socket(s);
	return false;
}

static void ask_for_page(struct uc_echo *e, struct uc_echo_socket *s)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};

	if (write(s->fd, http_request, sizeof(http_request) - 1) < 0 ||
	    epoll_ctl(e->epoll_fd, EPOLL_CTL_MOD, s->fd, &event))
		close_socket(s);
}

static bool take_one(struct uc_echo *e, struct uc_echo_socket *s)
{
	if (s->probe == UC_PROBE_TCP)
		return take_stream(e, s);
	return s->probe == UC_PROBE_HTTP ? take_page(e, s) : take_packet(e, s);
}

static void take_answers(struct uc_echo *e, const struct epoll_event *event)
{
	struct uc_echo_socket *s = event->data.ptr;

	if (event->events & EPOLLOUT) {
		ask_for_page(e, s);
		return;
	}
	for (int i = 0; i < BURST_MAX; i++)
		if (!take_one(e, s))
			return;
}

/* ---- a window ---- */

/* Or until there was an answer, or LOOK_NS have gone. */
static void wait_until(struct uc_echo *e, uint64_t when_ns)
{
	struct epoll_event events[32];
	uint64_t now = now_ns(), left = when_ns > now ? when_ns - now : 0;
	struct timespec timeout = {0, (long)(left < LOOK_NS ? left : LOOK_NS)};
	int n = epoll_pwait2(e->epoll_fd, events, 32, &timeout, NULL);

	for (int i = 0; i < n; i++)
		take_answers(e, &events[i]);
}

/* What has no answer now never had one in time: connections of such requests are given up. */
static void give_up(struct uc_echo *e)
{
	for (int i = 0; i < UC_ECHO_HTTP_MAX; i++)
		close_socket(&e->http[i]);
	e->first_open = e->nr_samples;
	e->nr_open = 0;
}

int uc_echo_window(struct uc_echo *e, uint32_t window, uint64_t duration_ns)
{
	uint64_t start = now_ns(), next = start + next_gap_ns(e), end = start + duration_ns;
	int rc = 0;

	e->first_open = e->nr_samples;
	while (next < end && !rc && !uc_host_told_to_stop()) {
		wait_until(e, next);
		for (uint64_t now = now_ns(); next <= now && next < end && !rc;
		     next += next_gap_ns(e))
			rc = send_one(e, window);
	}
	while (now_ns() < end && !rc && !uc_host_told_to_stop())
		wait_until(e, end);
	while (e->nr_open && now_ns() < end + UC_ECHO_LOST_S * NS && !rc && !uc_host_told_to_stop())
		wait_until(e, end + UC_ECHO_LOST_S * NS);
	give_up(e);
	return !rc && uc_host_told_to_stop() ? -EINTR : rc;
}
