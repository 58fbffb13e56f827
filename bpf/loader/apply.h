/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_APPLY_H
#define CARGOWALL_APPLY_H

#include <stddef.h>
#include <stdint.h>

/* One APPLY payload, all or nothing; 0 or -errno with the failing index. */
int apply_writes(const unsigned char *p, size_t size, uint32_t *failed);

#endif /* CARGOWALL_APPLY_H */
