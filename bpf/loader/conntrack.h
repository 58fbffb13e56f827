/* SPDX-License-Identifier: Apache-2.0 */
/* conntrack.c: open flows as connection tracking has them, before and after NAT. */
#ifndef CARGOWALL_CONNTRACK_H
#define CARGOWALL_CONNTRACK_H

struct tuple {
	char src[64], dst[64];
	unsigned int sport, dport;
};

/* Each TCP and UDP flow of this thread's network namespace; none where the kernel lists none. */
void conntrack_each(void (*visit)(unsigned int proto, const struct tuple *sent, const struct tuple *out));

#endif /* CARGOWALL_CONNTRACK_H */
