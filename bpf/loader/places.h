/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_PLACES_H
#define CARGOWALL_PLACES_H

#include "session.h"

/* Whether loader and daemon are where they were put, alone there, and with the keeper in nobody's hands. */
void places_check(const struct session *s, pid_t keeper, pid_t daemon);

#endif /* CARGOWALL_PLACES_H */
