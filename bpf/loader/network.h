/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's network, scanned and put into force: own addresses, local prefixes, walls. */
#ifndef CARGOWALL_NETWORK_H
#define CARGOWALL_NETWORK_H

#include <stdbool.h>
#include <stddef.h>

#include "../abi.h"
#include "uplinks.h"

struct own_address {
	struct address addr;
	unsigned int ifindex;
	bool uplink;
	bool plain; /* its interface's packets have no header below IP */
};

/* Reads interfaces, routes and addresses; 0 or -errno. */
int network_scan(void);
/* The machine's own addresses as the last scan found them. */
const struct own_address *network_own(size_t *count);
/* Programs what the last scan has found; 0, or the first -errno of an uplink. */
int network_apply(network_report report);
/* Takes over what an earlier loader has programmed. */
void network_reload(void);

#endif /* CARGOWALL_NETWORK_H */
