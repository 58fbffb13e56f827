/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_BIND_H
#define CARGOWALL_BIND_H

#include "session.h"

/* The proxy's sockets, the canary's and the control socket; 0 or -errno, `why` names the culprit. */
int bind_all(struct session *s, const char **why);
/* Closes them. */
void bind_close(const struct session *s);

#endif /* CARGOWALL_BIND_H */
