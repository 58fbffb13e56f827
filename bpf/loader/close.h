/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_CLOSE_H
#define CARGOWALL_CLOSE_H

#include <stddef.h>
#include <stdint.h>

#include "../abi.h"

/* One flow of a CLOSE_FLOWS frame, in the namespace it was listed in (its inode number). */
struct open_flow_key {
	struct flow_key flow;
	unsigned long long netns;
};
_Static_assert(sizeof(struct open_flow_key) == sizeof(struct flow_key) + 8, "open_flow_key");

/* Ends flows; 0 or -errno for each in `status`. -errno when there is no way back to our namespace. */
int flows_close(const struct open_flow_key *flows, size_t count, int32_t *status);

#endif /* CARGOWALL_CLOSE_H */
