/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon asks of the loader, frame by frame. */
#ifndef CARGOWALL_REQUESTS_H
#define CARGOWALL_REQUESTS_H

#include "frame.h"
#include "session.h"

/* The session that requests are about. */
void requests_open(struct session *s);
/* A frame_handler (channel.h): a request that is none ends the daemon. */
int request_handle(const struct frame *f, const unsigned char *p);

#endif /* CARGOWALL_REQUESTS_H */
