/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_SERVE_H
#define CARGOWALL_SERVE_H

#include "session.h"

/* The loader proper: returns an exit code, or SERVE_ALONE after green when the keeper is gone. */
#define SERVE_ALONE (-2)
int serve(struct session *s, bool restarted);

#endif /* CARGOWALL_SERVE_H */
