/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon can see and call. All return 0 or -errno; `why` names the culprit. */
#ifndef CARGOWALL_CONFINE_H
#define CARGOWALL_CONFINE_H

/* confine.c: a root of its own, read-only; while the caller still has its privileges. */
int confine_view(const char **why);

/* The program that will be started, the only one ever; and the limit on descriptors. */
int confine_program(const char *path);

/* Starts it under the filter; returns only when it could not. */
int confine_start(char **argv, char **env);

/* calls.c: the filter. `program` is the descriptor execveat() takes, once it is closed nothing is. */
int calls_restrict(unsigned int program);

#endif /* CARGOWALL_CONFINE_H */
