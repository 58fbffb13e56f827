/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc says of a process; and the guarded cgroup, which decides whom we speak of. */
#ifndef CARGOWALL_PROC_H
#define CARGOWALL_PROC_H

#include <stdbool.h>
#include <stdint.h>

/* The guarded cgroup's path, told once a loader starts. */
void guard_cgroup(const char *path);
const char *guarded_cgroup(void);

/* Id of a process's cgroup, 0 when it is gone. */
uint64_t process_cgroup(int pid);
/* Whether a process is below the guarded cgroup. */
bool process_is_guarded(int pid);
/* Whether a process has a process or cgroup namespace of its own: a container, whatever its network. */
bool process_is_contained(int pid);
/* Visits the inode of each socket a process holds, until `visit` says no. */
void process_sockets(int pid, bool (*visit)(int pid, unsigned long inode, void *arg), void *arg);
/* The letter of a process's state (proc_pid_status(5)), 0 when it is gone; and who traces it, 0: nobody. */
char process_state(int pid);
int process_tracer(int pid);
/* The inode number of a namespace by its path; 0 when there is none. */
uint64_t namespace_of(const char *path);

#endif /* CARGOWALL_PROC_H */
