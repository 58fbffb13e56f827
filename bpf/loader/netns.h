/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_NETNS_H
#define CARGOWALL_NETNS_H

#include <stdbool.h>
#include <stdint.h>

/* Visits the machine's network namespace, then every other of a guarded process; 0 or -errno: no way back. */
int netns_each(void (*visit)(uint64_t inode, bool other, void *arg), void *arg);

#endif /* CARGOWALL_NETNS_H */
