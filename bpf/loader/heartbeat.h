/* SPDX-License-Identifier: Apache-2.0 */
/* Signs of the daemon's life: the kernel's map has the last one too. */
#ifndef CARGOWALL_HEARTBEAT_H
#define CARGOWALL_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

void heartbeat(void);
/* The first of a loader that goes on from another, whatever it had in mind as that one's parent. */
void heartbeat_again(void);
/* Whether the kernel has the last one: what else it has is put right, and told. */
void heartbeat_check(void);
/*
 * Whether there has been none for too long; asked at every turn. A loader that has itself stood still has not
 * read the signs there were.
 */
bool heartbeat_is_late(uint64_t limit_ns);

#endif /* CARGOWALL_HEARTBEAT_H */
