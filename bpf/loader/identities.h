/* SPDX-License-Identifier: Apache-2.0 */
/* What processes run and come from, told to the daemon before what they did. */
#ifndef CARGOWALL_IDENTITIES_H
#define CARGOWALL_IDENTITIES_H

#include <stdint.h>

#include "../abi.h"

#define IDENTITIES_BATCH (IDENTITIES_TOLD / 2)

/* Tells who did something, unless the daemon knows or nobody does; 0 or -errno of the channel. */
int identity_tell(int channel, uint32_t pid, uint64_t start_ns, uint32_t execs);
/* Sends what is told; to be called before what they did. */
int identities_flush(int channel);
/* How many were told so far. */
uint64_t identities_told(void);
/* A new daemon knows nobody. */
void identities_forget(void);

#endif /* CARGOWALL_IDENTITIES_H */
