/* SPDX-License-Identifier: Apache-2.0 */
/* The first start of a loader, up to the daemon; and what main is told. */
#ifndef CARGOWALL_BEGIN_H
#define CARGOWALL_BEGIN_H

#include "loader.h"

/* Programs, configuration and walls stand: 0, or an exit code that main has been told the reason of. */
int begin(const struct session *s, struct config *config);
/* A line for main, while it listens. */
void status_line(const struct session *s, const void *p, size_t size);
/* Tells main what the machine did not give; returns the exit code. */
int start_failed(const struct session *s, const char *what, int err);

#endif /* CARGOWALL_BEGIN_H */
