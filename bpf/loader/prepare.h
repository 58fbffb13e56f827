/* SPDX-License-Identifier: Apache-2.0 */
/* What a session puts on the machine, and its undoing, by name. */
#ifndef CARGOWALL_PREPARE_H
#define CARGOWALL_PREPARE_H

#include "session.h"

/* 0 or -errno; `why` names the culprit. */
int session_prepare(struct session *s, const char **why);
void session_undo(const struct session *s);
/* Whether nothing of a start is left. */
bool session_is_undone(const struct session *s);

#endif /* CARGOWALL_PREPARE_H */
