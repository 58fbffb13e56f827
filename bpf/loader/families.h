/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_FAMILIES_H
#define CARGOWALL_FAMILIES_H

#include <stdbool.h>

/* Whether this kernel lets egress_socket refuse sockets. */
bool families_are_guarded(void);

#endif /* CARGOWALL_FAMILIES_H */
