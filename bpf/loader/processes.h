/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_PROCESSES_H
#define CARGOWALL_PROCESSES_H

#include "session.h"

/* Who is the runner: the worker, its ancestors, and what is older in its cgroup. */
int processes_capture(const struct session *s);
/* Who is the daemon; -1 when that can't be kept. */
int processes_daemon(pid_t pid);
bool process_is_daemon(pid_t pid);
/* Whether the kernel has it as it was written: what else it has is put right, and told. */
void processes_check(void);

#endif /* CARGOWALL_PROCESSES_H */
