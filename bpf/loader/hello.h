/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_HELLO_H
#define CARGOWALL_HELLO_H

#include "session.h"

/* The HELLO frame's payload, malloc'd: what a daemon has to know first, main's settings among it. */
char *hello_text(const struct session *s, bool restarted, size_t *size);

#endif /* CARGOWALL_HELLO_H */
