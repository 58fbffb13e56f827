/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_CGROUP_H
#define CARGOWALL_CGROUP_H

#include <stdint.h>

/* Where cgroup2 is mounted. */
char *cgroup_mount(void);
/* Its id, 0 when there is none. */
uint64_t cgroup_id(const char *path);
/* Moves the calling process, or another, into it; 0 or -errno. */
int cgroup_enter(const char *path);
int cgroup_put(const char *path, pid_t pid);
/* Ends every process in a cgroup but ourselves. */
void cgroup_empty(const char *path);
/* Ends what is left in a cgroup of ours, then removes it. */
void cgroup_remove(const char *path);

#endif /* CARGOWALL_CGROUP_H */
