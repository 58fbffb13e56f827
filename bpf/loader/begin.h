/* SPDX-License-Identifier: Apache-2.0 */
/* The first start of a loader, up to the daemon. */
#ifndef CARGOWALL_BEGIN_H
#define CARGOWALL_BEGIN_H

#include "session.h"

/* Programs, configuration and walls stand: 0, or an exit code that main has been told the reason of. */
int begin(const struct session *s);

#endif /* CARGOWALL_BEGIN_H */
