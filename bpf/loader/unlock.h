/* SPDX-License-Identifier: Apache-2.0 */
/* What the job's user may do when nobody is left to give back what a lockdown has taken. */
#ifndef CARGOWALL_UNLOCK_H
#define CARGOWALL_UNLOCK_H

#include "session.h"

/* Notes whose end it waits for; 0 or -errno. */
int unlock_prepare(const struct session *s);
/* The command: EXIT_GREEN, or why nothing was given back. */
int unlock(const char **why);

#endif /* CARGOWALL_UNLOCK_H */
