/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's life: started, told what it has to know, and started again when it ends. */
#ifndef CARGOWALL_SUPERVISE_H
#define CARGOWALL_SUPERVISE_H

#include "channel.h"
#include "session.h"

/* Starts a daemon; `restarted`: there was one before it. 0 or -errno. */
int supervise_start(const struct session *s, bool restarted);
/* Children have ended or stand still: a daemon among them has a successor. 0, or the loader's exit code. */
int supervise_reap(const struct session *s, int signals, frame_handler handle);
/* Ends a daemon that gives no sign of life, or that a tracer has stopped. 0, or the loader's exit code. */
int supervise_look(const struct session *s, frame_handler handle);

#endif /* CARGOWALL_SUPERVISE_H */
