/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_LOCKDOWN_H
#define CARGOWALL_LOCKDOWN_H

#include "session.h"

/* Takes sudo and the sockets that equal root from the job's user; 0 or -errno, `why` names the culprit. */
int lockdown_apply(const struct session *s, const char **why);
/* Gives back what a lockdown has taken, also one of an earlier session; nothing without one. */
void lockdown_undo(void);
/* Tells what has been undone by others, and closes sockets that are open again. */
void lockdown_check(const struct session *s, void (*report)(const char *finding));

#endif /* CARGOWALL_LOCKDOWN_H */
