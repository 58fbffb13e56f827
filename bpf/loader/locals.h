/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's map of local prefixes: what is routed where it doesn't lead off, and our own addresses. */
#ifndef CARGOWALL_LOCALS_H
#define CARGOWALL_LOCALS_H

#include <stdint.h>

#include "../abi.h"

/* Forgets what a scan has found. */
void locals_clear(void);
/* A prefix of the scan; of an interface that leads off it does not count. 0: of none. */
void locals_add(const struct address *a, unsigned int length, uint32_t flags, unsigned int ifindex);
/* Programs what was found, new before old goes. */
void locals_apply(void);
/* Whether the map has only what is programmed: what else is there goes, and is told. */
void locals_check(void);
/* Takes over what an earlier loader has programmed. */
void locals_reload(void);

#endif /* CARGOWALL_LOCALS_H */
