/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of families that no hook for packets guards: refused where the kernel lets us, told elsewhere. */
#ifndef CARGOWALL_FAMILIES_H
#define CARGOWALL_FAMILIES_H

#include <stdbool.h>

struct bpf_object;

/* Readies the programs about such sockets before an object is loaded: which of them, and for which hook. */
void families_prepare(struct bpf_object *object);
/* Whether this kernel has a program of the object; only those about such sockets may be left out. */
bool families_have(const char *program);
/* Whether a program is one of those. */
bool families_are_of(const char *program);
/* Whether the job gets such sockets, which are told then; else it is refused each. */
bool families_are_told(void);

#endif /* CARGOWALL_FAMILIES_H */
