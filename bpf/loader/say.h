/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_SAY_H
#define CARGOWALL_SAY_H

#include <stddef.h>

/* Text inside a JSON string; what can't stand there is left out. */
void json_escape(char *out, size_t size, const char *in);
/* An error for a person: what happened, to what, and what to do. */
void say_error(int fd, const char *code, const char *message, const char *remedy);

#endif /* CARGOWALL_SAY_H */
