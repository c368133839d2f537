/* SPDX-License-Identifier: MIT */
#include "tests/guest/shuffle/traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/guest/shuffle/shared.h"

#define BULK_FLOWS 2
#define BULK_MAX   200000u
/* A command may have to wait for CPUs to stop and start; the network is watched meanwhile. */
#define COMMAND_NS 120000000000ull

struct ping {
	int fd;
	uint32_t number;
	bool waiting;
	uint64_t at_ns; /* waiting: since; else: the next one is due */
	uint32_t bytes, packet[350];
};

struct bulk {
	int fd;
	uint32_t bytes, sent, received; /* of this request; bytes == 0: none */
	uint32_t fill;
	uint64_t at_ns; /* last byte either way; without a request: when the next one is due */
};

static struct ping pings[UDP_FLOWS];
static struct bulk bulks[BULK_FLOWS];
static int echo_fds[DRIVER_FLOWS], command_fd;
static char reply[128];
static size_t reply_bytes;
static bool replied = true;
static uint64_t command_ns, now_ns, random_state;
static enum traffic_load load_now;
static struct traffic_counts counts;

void fail(const char *fmt, ...)
{
	va_list ap;

	printf("FAILED: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

/* xorshift64: the same on every machine. */
uint32_t random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % n;
}

static uint64_t ms(uint32_t n)
{
	return n * 1000000ull;
}

/* ---- requests over UDP ---- */

static void send_ping(struct ping *p, uint32_t flags)
{
	p->number++;
	p->bytes = 8 + random_below(sizeof(p->packet) - 8);
	p->packet[0] = p->number;
	p->packet[1] = flags;
	for (uint32_t i = 2; i < sizeof(p->packet) / 4; i++)
		p->packet[i] = p->number * 2654435761u + i;
	if (send(p->fd, p->packet, p->bytes, 0) != (ssize_t)p->bytes)
		fail("send: %s", strerror(errno));
	p->waiting = true;
	p->at_ns = now_ns;
}

static void take_ping(struct ping *p)
{
	char got[2048];
	ssize_t n = recv(p->fd, got, sizeof(got), MSG_DONTWAIT);

	if (n < 0)
		return;
	if (!p->waiting || n != (ssize_t)p->bytes || memcmp(got, p->packet, (size_t)n))
		fail("flow %d: an answer of %zd bytes that is not request %u's %u bytes",
		     (int)(p - pings), n, p->number, p->bytes);
	p->waiting = false;
	p->at_ns = now_ns + ms(random_below(20));
	counts.pings++;
}

static void turn_ping(struct ping *p)
{
	take_ping(p);
	if (p->waiting && now_ns - p->at_ns > DEADLINE_NS)
		fail("flow %d: request %u of %u bytes has no answer", (int)(p - pings), p->number,
		     p->bytes);
	if (!p->waiting && load_now == LOAD_FULL && now_ns >= p->at_ns)
		send_ping(p, 0);
}

void traffic_single(void)
{
	send_ping(&pings[random_below(UDP_FLOWS)], PING_SETTLES);
}

/* ---- requests over TCP: so many bytes there, and the same back ---- */

static void fill(char *bytes, const struct bulk *b, uint32_t from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		bytes[i] = (char)((b->fill + from + i) * 2654435761u >> 24);
}

static void push_bulk(struct bulk *b)
{
	char bytes[65536];
	uint32_t n = b->bytes - b->sent < sizeof(bytes) ? b->bytes - b->sent : sizeof(bytes);
	ssize_t put;

	fill(bytes, b, b->sent, n);
	put = send(b->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (put < 0 && errno != EAGAIN)
		fail("bulk %d: %s", (int)(b - bulks), strerror(errno));
	if (put > 0) {
		b->sent += (uint32_t)put;
		b->at_ns = now_ns;
	}
}

static void pull_bulk(struct bulk *b)
{
	char bytes[65536], want[65536];
	ssize_t n = recv(b->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || b->received + (uint32_t)n > b->sent)
		fail("bulk %d: %zd bytes after %u of %u", (int)(b - bulks), n, b->received,
		     b->sent);
	fill(want, b, b->received, (uint32_t)n);
	if (memcmp(bytes, want, (size_t)n))
		fail("bulk %d: wrong bytes after %u", (int)(b - bulks), b->received);
	b->received += (uint32_t)n;
	b->at_ns = now_ns;
	counts.bulk_bytes += (uint64_t)n;
}

static void turn_bulk(struct bulk *b)
{
	if (!b->bytes && load_now == LOAD_FULL && now_ns >= b->at_ns) {
		b->bytes = 1 + random_below(BULK_MAX);
		b->sent = b->received = 0;
		b->fill = random_below(1u << 30);
		b->at_ns = now_ns;
	}
	if (!b->bytes)
		return;
	if (b->sent < b->bytes)
		push_bulk(b);
	pull_bulk(b);
	if (b->received == b->bytes) {
		b->bytes = 0;
		b->at_ns = now_ns + ms(random_below(300));
	} else if (now_ns - b->at_ns > DEADLINE_NS) {
		fail("bulk %d: stands still at %u of %u bytes sent, %u came back", (int)(b - bulks),
		     b->sent, b->bytes, b->received);
	}
}

/* ---- the guest's requests ---- */

static void turn_echo(int fd)
{
	struct sockaddr_in from;
	char packet[2048];
	ssize_t n;

	for (;;) {
		socklen_t len = sizeof(from);

		n = recvfrom(fd, packet, sizeof(packet), MSG_DONTWAIT, (struct sockaddr *)&from,
			     &len);
		if (n < 0)
			return;
		/* Its first word, the number, is what the guest waits for. */
		sendto(fd, packet, n < 4 ? (size_t)n : 4, 0, (struct sockaddr *)&from, len);
		counts.from_guest++;
	}
}

/* ---- commands ---- */

void traffic_expect_answer(void)
{
	reply_bytes = 0;
	replied = false;
	command_ns = now_ns;
}

void traffic_command(const char *fmt, ...)
{
	char line[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	line[n++] = '\n';
	traffic_expect_answer();
	if (send(command_fd, line, (size_t)n, MSG_NOSIGNAL) != n)
		fail("a command: %s", strerror(errno));
}

const char *traffic_answer(void)
{
	return replied ? reply : NULL;
}

static void turn_command(void)
{
	char c;

	while (!replied && recv(command_fd, &c, 1, MSG_DONTWAIT) == 1) {
		replied = c == '\n' || reply_bytes == sizeof(reply) - 1;
		reply[reply_bytes++] = replied ? '\0' : c;
	}
	if (!replied && now_ns - command_ns > COMMAND_NS)
		fail("the guest does not answer a command");
}

/* ---- all ---- */

static int dial(int type, int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, type, 0);

	inet_pton(AF_INET, GUEST_IP, &a.sin_addr);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		fail("connect to port %d: %s", port, strerror(errno));
	return fd;
}

static int serve(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (bind(fd, (struct sockaddr *)&a, sizeof(a)))
		fail("bind port %d: %s", port, strerror(errno));
	return fd;
}

void traffic_open(uint64_t seed)
{
	random_state = seed * 0x9e3779b97f4a7c15u + 1;
	for (int i = 0; i < DRIVER_FLOWS; i++)
		echo_fds[i] = serve(DRIVER_ECHO_PORT + i);
	for (int i = 0; i < UDP_FLOWS; i++)
		pings[i].fd = dial(SOCK_DGRAM, UDP_ECHO_PORT + i);
	for (int i = 0; i < BULK_FLOWS; i++)
		bulks[i].fd = dial(SOCK_STREAM, BULK_PORT);
	command_fd = dial(SOCK_STREAM, COMMAND_PORT);
}

static void wait_for_any(void)
{
	struct pollfd fds[UDP_FLOWS + BULK_FLOWS + DRIVER_FLOWS + 1];
	nfds_t n = 0;

	for (int i = 0; i < UDP_FLOWS; i++)
		fds[n++] = (struct pollfd){.fd = pings[i].fd, .events = POLLIN};
	for (int i = 0; i < BULK_FLOWS; i++)
		fds[n++] = (struct pollfd){
			.fd = bulks[i].fd,
			.events = (short)(POLLIN | (bulks[i].sent < bulks[i].bytes ? POLLOUT : 0))};
	for (int i = 0; i < DRIVER_FLOWS; i++)
		fds[n++] = (struct pollfd){.fd = echo_fds[i], .events = POLLIN};
	fds[n++] = (struct pollfd){.fd = command_fd, .events = POLLIN};
	poll(fds, n, 10);
}

uint64_t traffic_turn(void)
{
	static struct live_clock clock;

	wait_for_any();
	now_ns = live_ns(&clock);
	for (int i = 0; i < UDP_FLOWS; i++)
		turn_ping(&pings[i]);
	for (int i = 0; i < BULK_FLOWS; i++)
		turn_bulk(&bulks[i]);
	for (int i = 0; i < DRIVER_FLOWS; i++)
		turn_echo(echo_fds[i]);
	turn_command();
	return now_ns;
}

void traffic_set_load(enum traffic_load load)
{
	load_now = load;
}

bool traffic_is_idle(void)
{
	for (int i = 0; i < UDP_FLOWS; i++)
		if (pings[i].waiting)
			return false;
	for (int i = 0; i < BULK_FLOWS; i++)
		if (bulks[i].bytes)
			return false;
	return true;
}

struct traffic_counts traffic_counts(void)
{
	return counts;
}
