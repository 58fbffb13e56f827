/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket's clients: root and the user that started us; each asks by lines. The worker's own children, as
 * post is one, have places of their own, and so has root: nobody else of that user can take them.
 */
#ifndef CARGOWALL_CONTROL_H
#define CARGOWALL_CONTROL_H

#include <poll.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	PLACES_OF_USER = 16,
	PLACES_OF_WORKER = 4,
	PLACES_OF_ROOT = 16,
	CONTROL_CLIENTS_MAX = PLACES_OF_USER + PLACES_OF_WORKER + PLACES_OF_ROOT,
};

/* A line somebody has sent; `client` is what its reply goes to. */
typedef void (*control_line)(uint32_t client, uint32_t uid, uint32_t pid, const char *line, size_t size);

/* No clients yet; a loader that has become the keeper starts one of its own. */
void control_open(void);
void control_close(void);
/* Takes clients of root's or `uid`'s, and tells others why not. */
void control_accept(int listener, uid_t uid, pid_t worker);
/* CONTROL_CLIENTS_MAX descriptors to wait for, and what was heard from them. */
void control_wait(struct pollfd *p);
void control_heard(const struct pollfd *p, control_line heard);
/* The payload of a CONTROL_REPLY frame: the client and the reply. */
void control_reply(const unsigned char *p, size_t size);

#endif /* CARGOWALL_CONTROL_H */
