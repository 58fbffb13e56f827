/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_WALL_H
#define CARGOWALL_WALL_H

#include <stdbool.h>

/* The wall of an uplink, once; 0 or -errno. */
int wall_attach(unsigned int ifindex);
/* While a restarted loader looks at its uplinks first, each should have its wall still. */
void wall_comes_back(bool is_looking);

#endif /* CARGOWALL_WALL_H */
