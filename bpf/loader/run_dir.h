/* SPDX-License-Identifier: Apache-2.0 */
/* The run directory: mounts, copies, the log. What is int is 0 or -errno; `why` names the culprit. */
#ifndef CARGOWALL_RUN_DIR_H
#define CARGOWALL_RUN_DIR_H

#include "session.h"

/* Mounts it and puts what the daemon and a restarted loader run into it. */
int run_dir_make(const struct session *s, const char **why);
/* The settings as main gave them, and the log. */
int run_dir_open_files(struct session *s, const char **why);
/* Whether a mount stands at its own name; what else may lie there is not ours. */
bool run_dir_stands(void);
void run_dir_remove(void);

#endif /* CARGOWALL_RUN_DIR_H */
