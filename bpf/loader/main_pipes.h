/* SPDX-License-Identifier: Apache-2.0 */
/* The pipes to main, until green: stages and errors out, its lines in. */
#ifndef CARGOWALL_MAIN_PIPES_H
#define CARGOWALL_MAIN_PIPES_H

#include "session.h"

#define MAIN_LINE_MAX 65536

/* A line for main, while it listens. */
void status_line(const struct session *s, const void *p, size_t size);
/* Tells main what the machine did not give; returns the exit code. */
int start_failed(const struct session *s, const char *what, int err);
/* What main sent behind the settings already comes first. */
void main_early(const struct session *s);
/* Reads main's further lines; false when main has ended, which undoes a start. */
bool main_heard(const struct session *s, void (*heard)(const char *line, size_t size));
/* After green nothing of main's stays open: a pipe of it would keep its step from ending. */
void main_leave(struct session *s);

#endif /* CARGOWALL_MAIN_PIPES_H */
