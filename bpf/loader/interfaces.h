/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's interfaces as the last scan found them. One leads off the machine unless it is loopback,
 * dummy, bridge, veth or tap and no route with a gateway goes through it.
 */
#ifndef CARGOWALL_INTERFACES_H
#define CARGOWALL_INTERFACES_H

#include <linux/if.h>
#include <stdbool.h>
#include <stddef.h>

#define INTERFACES_MAX 512

struct interface {
	unsigned int index;
	bool soft; /* loopback, dummy, bridge, veth, tap */
	bool gateway;
	bool plain; /* its packets have no header below IP */
	bool bridge;
	bool carrier; /* a NIC, bond or team: what it sends leaves by its parts, where it has any */
	unsigned int lower; /* the interface its frames pass next: of a VLAN and its like; 0 = none known */
	unsigned int master;
	char name[IFNAMSIZ];
};

/* Lists them anew; 0, -EAGAIN or another -errno as rtnetlink_dump(). */
int interfaces_scan(void);
const struct interface *interfaces_all(size_t *count);
const struct interface *interface_of(unsigned int index);
/* A route with a gateway goes through one. */
void interface_has_gateway(unsigned int index);
bool network_leads_off(unsigned int index);
/*
 * Whether frames pass two walls, of which this is not the one that counts: a bridge's and a VLAN's are
 * counted below, at the interface they leave by; those of a bond's or a virtual NIC's parts above.
 */
bool interface_is_stacked(const struct interface *i);

#endif /* CARGOWALL_INTERFACES_H */
