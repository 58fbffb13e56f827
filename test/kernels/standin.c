/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's part with the knowledge taken out, for a guest without Node: writes what its session
 * lists, flips, has the wall proved, pins, turns green; logs events as hex and notices as text; refuses
 * every question. As test/fakes/stand-in-daemon.mjs.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../bpf/abi.h"
#include "../../bpf/loader/frame.h"

#define CHANNEL 3
#define LOG 4
#define QUESTION_HEAD 104 /* of a datagram in QUESTIONS; the first 24 bytes are its way back */
#define ANSWER_HEAD 24

static unsigned char input[INPUT_MAX];
static size_t input_size;
static uint32_t sequence;

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

/* The next frame, in `f`; its payload until the next call. A sign of life each second meanwhile. */
static unsigned char *next_frame(struct frame *f)
{
	static size_t used;

	memmove(input, input + used, input_size - used);
	input_size -= used;
	used = 0;
	while (frame_decode(input, input_size, f)) {
		struct pollfd wait = {CHANNEL, POLLIN, 0};
		ssize_t n;

		if (!poll(&wait, 1, 1000)) {
			tell(FRAME_HEARTBEAT, 0, NULL, 0);
			continue;
		}
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

static void refuse(const unsigned char *p, size_t size)
{
	static unsigned char answer[1 << 16];

	for (size_t at = 0; at + QUESTION_HEAD <= size;) {
		uint16_t length;

		memcpy(&length, p + at, sizeof(length));
		memcpy(answer, p + at, ANSWER_HEAD);
		answer[3] = 0;
		memcpy(answer + ANSWER_HEAD, p + at + QUESTION_HEAD, length);
		answer[ANSWER_HEAD + 2] |= 0x80;
		answer[ANSWER_HEAD + 3] = (unsigned char)((answer[ANSWER_HEAD + 3] & 0xf0) | 5);
		tell(FRAME_ANSWERS, 0, answer, ANSWER_HEAD + length);
		at += QUESTION_HEAD + length;
	}
}

static void serve(const struct frame *f, const unsigned char *p)
{
	if (f->type == FRAME_EVENTS) {
		log_events(p, f->length);
		tell(FRAME_EVENTS_WRITTEN, f->seq, NULL, 0);
	} else if (f->type == FRAME_NOTICE) {
		log_line((const char *)p, f->length);
	} else if (f->type == FRAME_QUESTIONS) {
		refuse(p, f->length);
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

int main(void)
{
	static unsigned char writes[1 << 16];
	uint32_t mode = MODE_ENFORCE;
	int32_t applied, flipped, wall, pin;
	char green[128];
	struct frame f;
	unsigned char *hello = next_frame(&f);
	size_t size = writes_of(hello, f.length, writes);

	tell(FRAME_LISTEN, 0, NULL, 0);
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
