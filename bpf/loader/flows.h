/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_FLOWS_H
#define CARGOWALL_FLOWS_H

#include <stddef.h>

/* Open flows as a JSON array, malloc'd; NULL when there is no way back to our namespace. */
char *flows_list(size_t *size);

#endif /* CARGOWALL_FLOWS_H */
