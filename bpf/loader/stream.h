/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring buffer as EVENTS frames. The ring's consumer position moves only when the daemon has
 * written a batch, so nothing is lost with a daemon or a loader that dies.
 */
#ifndef CARGOWALL_STREAM_H
#define CARGOWALL_STREAM_H

#include <stdbool.h>
#include <stdint.h>

int stream_open(int map_fd);
int stream_drain(int channel);
void stream_written(uint32_t seq);
void stream_resend(int channel);
bool stream_waiting(void);
/* Whether events gather for a batch of many: a few milliseconds, unless somebody hurries. */
bool stream_gathers(void);
void stream_hurry(void);

#endif /* CARGOWALL_STREAM_H */
