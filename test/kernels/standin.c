/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's part with the knowledge taken out, for a guest without Node: writes what its session
 * lists, flips, has the wall proved, pins, turns green; logs events as hex, notices as text and, when idle,
 * the bytes sent; refuses every question. As test/fakes/stand-in-daemon.mjs.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../bpf/abi.h"
#include "../../bpf/loader/frame.h"

#define CHANNEL 3
#define LOG 4
#define SOCKETS_MAX 96
#define FIRST_SOCKET 5

static unsigned char input[INPUT_MAX];
static size_t input_size;
static uint32_t sequence;
/* The channel, then the proxy's datagram sockets. */
static struct pollfd waits[1 + SOCKETS_MAX] = {{CHANNEL, POLLIN, 0}};
static nfds_t wait_count = 1;

static void serve(const struct frame *f, const unsigned char *p);

static void log_line(const char *text, size_t size)
{
	if (write(LOG, text, size) < 0 || write(LOG, "\n", 1) < 0)
		exit(1);
}

static void tell(uint16_t type, uint32_t seq, const void *p, size_t size)
{
	if (frame_send(CHANNEL, type, 0, seq, p, size))
		exit(1);
}

/* Answers what waits on a socket of the proxy's with REFUSED. */
static void refuse(int fd)
{
	unsigned char message[4096];
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);
	ssize_t n = recvfrom(fd, message, sizeof(message), MSG_DONTWAIT, (void *)&from, &size);

	if (n < 12)
		return;
	message[2] |= 0x80;
	message[3] = (unsigned char)((message[3] & 0xf0) | 5);
	sendto(fd, message, (size_t)n, 0, (void *)&from, size);
}

/* The next frame, in `f`; its payload until the next call. A sign of life each second meanwhile. */
static unsigned char *next_frame(struct frame *f)
{
	static size_t used;

	memmove(input, input + used, input_size - used);
	input_size -= used;
	used = 0;
	while (frame_decode(input, input_size, f)) {
		ssize_t n;

		if (!poll(waits, wait_count, 1000)) {
			tell(FRAME_HEARTBEAT, 0, NULL, 0);
			tell(FRAME_GET_TRAFFIC, 0, NULL, 0);
		}
		for (nfds_t i = 1; i < wait_count; i++)
			if (waits[i].revents)
				refuse(waits[i].fd);
		if (!waits[0].revents)
			continue;
		n = read(CHANNEL, input + input_size, sizeof(input) - input_size);
		if (n <= 0)
			exit(1);
		input_size += (size_t)n;
	}
	used = FRAME_HEADER + f->length;
	return input + FRAME_HEADER;
}

/* Asks and waits for the answer's first word; serves what comes in between. */
static int32_t ask(uint16_t type, const void *p, size_t size)
{
	uint32_t seq = ++sequence;
	int32_t status = 0;
	struct frame f;
	unsigned char *payload;

	tell(type, seq, p, size);
	for (;;) {
		payload = next_frame(&f);
		if (f.type == FRAME_ACK && f.seq == seq)
			break;
		serve(&f, payload);
	}
	memcpy(&status, payload, sizeof(status));
	return status;
}

static void log_events(const unsigned char *p, size_t size)
{
	for (size_t at = 0; at + sizeof(struct event) <= size; at += sizeof(struct event)) {
		char line[2 * sizeof(struct event) + 1];

		for (size_t i = 0; i < sizeof(struct event); i++)
			sprintf(line + 2 * i, "%02x", p[at + i]);
		log_line(line, 2 * sizeof(struct event));
	}
}

/* "traffic STATUS BYTES": all that was sent so far. */
static void log_traffic(const unsigned char *p, size_t size)
{
	unsigned long long sum = 0;
	char line[64];
	int32_t status;

	memcpy(&status, p, sizeof(status));
	for (size_t at = sizeof(status); at < size; at += sizeof(struct traffic_key) + sizeof(sum)) {
		struct traffic_value value;

		memcpy(&value, p + at + sizeof(struct traffic_key), sizeof(value));
		sum += value.bytes;
	}
	log_line(line, (size_t)snprintf(line, sizeof(line), "traffic %d %llu", status, sum));
}

static void serve(const struct frame *f, const unsigned char *p)
{
	if (f->type == FRAME_EVENTS) {
		log_events(p, f->length);
		tell(FRAME_EVENTS_WRITTEN, f->seq, NULL, 0);
	} else if (f->type == FRAME_TRAFFIC) {
		log_traffic(p, f->length);
	} else if (f->type == FRAME_NOTICE) {
		log_line((const char *)p, f->length);
	}
}

/* The map writes of the session, in hex behind "writes":". */
static size_t writes_of(unsigned char *hello, size_t size, unsigned char *out)
{
	char *at = memmem(hello, size, "\"writes\":\"", 10);
	size_t n = 0;

	if (!at)
		exit(1);
	for (at += 10; *at != '"'; at += 2) {
		char two[3] = {at[0], at[1], 0};

		out[n++] = (unsigned char)strtoul(two, NULL, 16);
	}
	return n;
}

/* The datagram sockets of HELLO: "fd":N,"proto":"udp". */
static void adopt(const unsigned char *hello, size_t size)
{
	const char *at = (const char *)hello, *end = at + size;

	while ((at = memmem(at, (size_t)(end - at), "\"fd\":", 5))) {
		char *rest;
		long fd = strtol(at + 5, &rest, 10);

		if (!strncmp(rest, ",\"proto\":\"udp\"", 14) && fd >= FIRST_SOCKET &&
		    wait_count <= SOCKETS_MAX)
			waits[wait_count++] = (struct pollfd){(int)fd, POLLIN, 0};
		at = rest;
	}
}

int main(void)
{
	static unsigned char writes[1 << 16];
	uint32_t mode = MODE_ENFORCE;
	int32_t applied, flipped, wall, pin;
	char green[128];
	struct frame f;
	unsigned char *hello = next_frame(&f);
	size_t size = writes_of(hello, f.length, writes);

	adopt(hello, f.length);
	applied = ask(FRAME_APPLY, writes, size);
	flipped = ask(FRAME_FLIP, &mode, sizeof(mode));
	wall = ask(FRAME_PROVE_TC, NULL, 0);
	pin = ask(FRAME_PIN, NULL, 0);
	size = (size_t)snprintf(green, sizeof(green),
				"{\"stage\":\"green\",\"applied\":%d,\"flipped\":%d,\"wall\":%d,\"pin\":%d}",
				applied, flipped, wall, pin);
	tell(FRAME_GREEN, ++sequence, green, size);
	for (;;) {
		unsigned char *p = next_frame(&f);

		serve(&f, p);
	}
}
