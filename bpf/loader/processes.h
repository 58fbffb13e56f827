/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_PROCESSES_H
#define CARGOWALL_PROCESSES_H

#include "session.h"

/* Who is the runner: the worker, its ancestors, and what is older in its cgroup. */
int processes_capture(const struct session *s);
/* When a process was started, in ticks; 0, or -1 when nobody can say. */
int process_started(pid_t pid, uint64_t *ticks);
/* Its parent, or 0 when nobody can say. */
pid_t process_parent(pid_t pid);
/* Who is the daemon; -1 when that can't be kept. */
int processes_daemon(pid_t pid);
bool process_is_daemon(pid_t pid);
/* Whether the kernel has it as it was written: what else it has is put right, and told. */
void processes_check(void);

#endif /* CARGOWALL_PROCESSES_H */
