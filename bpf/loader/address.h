/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_ADDRESS_H
#define CARGOWALL_ADDRESS_H

#include <stdbool.h>
#include <string.h>

#include "../abi.h"

/* Whether an address is IPv4: v4-mapped, the last four bytes alone count. */
static inline bool address_is_v4(const struct address *a)
{
	static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	return !memcmp(a->b, mapped, sizeof(mapped));
}

#endif /* CARGOWALL_ADDRESS_H */
