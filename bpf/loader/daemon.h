/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_DAEMON_H
#define CARGOWALL_DAEMON_H

#include "session.h"

/* Starts a daemon, after the end of any other: its pid, its channel in *channel; or -errno. */
pid_t daemon_start(const struct session *s, int *channel);

#endif /* CARGOWALL_DAEMON_H */
