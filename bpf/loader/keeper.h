/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_KEEPER_H
#define CARGOWALL_KEEPER_H

#include "session.h"

/* The start's exit code, or 0 after a teardown; `lock` is held until then. */
int keeper(struct session *s, int lock);

#endif /* CARGOWALL_KEEPER_H */
