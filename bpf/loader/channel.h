/* SPDX-License-Identifier: Apache-2.0 */
/* The loader's end of the channel to its daemon; a daemon that breaks it or does not read is ended. */
#ifndef CARGOWALL_CHANNEL_H
#define CARGOWALL_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "frame.h"

/* Does what a frame asks for; 0, or the exit code of a loader that can't go on. */
typedef int (*frame_handler)(const struct frame *f, const unsigned char *p);

/* Room for what is read; 0 or -errno. */
int channel_prepare(void);
/* A daemon that has just started. */
void channel_take(int fd, pid_t daemon);
bool channel_is_open(void);
/* -1 without. */
int channel_fd(void);
/* The last daemon that was taken. */
pid_t channel_daemon(void);
void channel_send(uint16_t type, uint16_t flags, uint32_t seq, const void *p, size_t size);
/* Reads once and handles what is whole; `code` becomes an exit code when a handler says so. As recv(). */
ssize_t channel_read(frame_handler handle, int *code);
/* Events that wait, in one batch. */
void channel_drain(void);
/* Ends the daemon: its end starts a new one. */
void channel_break(void);
void channel_close(void);

#endif /* CARGOWALL_CHANNEL_H */
