/* SPDX-License-Identifier: Apache-2.0 */
/* Length-prefixed frames between loader and daemon; little-endian, see docs/architecture.md. */
#ifndef CARGOWALL_FRAME_H
#define CARGOWALL_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER 12
#define FRAME_MAX (8u << 20)
#define INPUT_MAX (FRAME_MAX + FRAME_HEADER)

enum frame_type {
	FRAME_HELLO = 1,
	FRAME_ACK = 2,
	FRAME_EVENTS = 3,
	FRAME_OWNER_REPLY = 4,
	FRAME_FLOWS = 5,
	FRAME_CONTROL = 6,
	FRAME_COUNTERS = 7,
	FRAME_NOTICE = 8,
	FRAME_CLOSED = 9,
	FRAME_TRAFFIC = 10,
	FRAME_IDENTITIES = 11,
	FRAME_GRANTS = 12,
	FRAME_APPLY = 32,
	FRAME_FLIP = 33,
	FRAME_EVENTS_WRITTEN = 34,
	FRAME_OWNER = 35,
	FRAME_LIST_FLOWS = 36,
	FRAME_CONTROL_REPLY = 37,
	FRAME_GET_COUNTERS = 38,
	FRAME_STAGE = 39,
	FRAME_HEARTBEAT = 40,
	FRAME_PROVE_TC = 41,
	FRAME_PIN = 42,
	FRAME_GREEN = 43,
	FRAME_CLOSE_FLOWS = 44,
	FRAME_GET_TRAFFIC = 45,
	FRAME_GET_GRANTS = 46,
};

struct frame {
	uint32_t length;
	uint16_t type;
	uint16_t flags;
	uint32_t seq;
};

/* 0: a whole frame starts at p; 1: more bytes are needed; -1: it can't be one. */
int frame_decode(const unsigned char *p, size_t size, struct frame *f);

/* Sends a whole frame, waiting for room; 0 or -errno. */
int frame_send(int fd, uint16_t type, uint16_t flags, uint32_t seq, const void *p, size_t size);

#endif /* CARGOWALL_FRAME_H */
