/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_LISTENERS_H
#define CARGOWALL_LISTENERS_H

#include "session.h"

/*
 * Tells the programs which listening sockets are the machine's services': of its own network namespace, held
 * by processes outside the guarded cgroup alone, and by none of a container, of the job's user or of ours.
 */
void listeners_capture(const struct session *s);

#endif /* CARGOWALL_LISTENERS_H */
