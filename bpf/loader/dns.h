/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams between the proxy's sockets and the daemon; see src/core/wire/datagrams.ts. */
#ifndef CARGOWALL_DNS_H
#define CARGOWALL_DNS_H

#include "loader.h"

#define DATAGRAM_BATCH 32
#define DATAGRAM_MAX 4096 /* a longer question is cut, and then it is none */

/* In a QUESTIONS frame, before each message. */
struct datagram_head {
	uint16_t size; /* of the message behind it */
	unsigned char socket; /* index in the session's sockets */
	unsigned char found; /* the owner map has its sender */
	uint16_t port; /* the sender's */
	uint16_t pad;
	struct address peer;
	struct owner_value owner;
};
_Static_assert(sizeof(struct datagram_head) == 104, "datagram_head");

/* In an ANSWERS frame, before each message. */
struct answer_head {
	uint16_t size;
	unsigned char socket;
	unsigned char pad;
	uint16_t port;
	uint16_t pad2;
	struct address peer;
};
_Static_assert(sizeof(struct answer_head) == 24, "answer_head");

#define QUESTIONS_MAX (DATAGRAM_BATCH * (sizeof(struct datagram_head) + DATAGRAM_MAX))

/* Takes what waits on a socket into `out` (QUESTIONS_MAX bytes); its size. */
size_t dns_take(const struct session *s, size_t index, unsigned char *out);

/* Sends the answers of a frame; 0 or -EINVAL when it is none. */
int dns_answer(const struct session *s, const unsigned char *p, size_t size);

#endif /* CARGOWALL_DNS_H */
