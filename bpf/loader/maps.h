/* SPDX-License-Identifier: Apache-2.0 */
/* The object's maps, by name, open in the loader. */
#ifndef CARGOWALL_MAPS_H
#define CARGOWALL_MAPS_H

#include <stdint.h>

#include "../abi.h"

enum map_index {
	M_CONFIG,
	M_HEARTBEAT,
	M_POLICY,
	M_RULES,
	M_GRANTS,
	M_LOCALS,
	M_RESOLVERS,
	M_PROCESSES,
	M_CGROUPS,
	M_EXISTING,
	M_FLOWS,
	M_OWNERS,
	M_COUNTERS,
	M_EVENTS,
	M_DNS_ADDRESSES,
	M_DNS_SOCKETS,
	M_UPLINKS,
	M_TRAFFIC,
	M_ARRIVALS,
	M_REPLIES,
	M_IDENTITIES,
	M_FORMER,
	M_LISTENERS,
	M_DAEMONS,
	M_COUNT,
};

extern int map_fds[M_COUNT];

struct bpf_object;

/* Takes them from a loaded object; 0 or -errno, `why` names the culprit. */
int maps_find(const struct bpf_object *object, const char **why);
/* Takes them from their pins; 0 or -errno. */
int maps_reopen(void);
/* Visits each with the name of its pin until one fails; 0 or that -errno. */
int maps_each(int (*visit)(int fd, const char *pin, void *arg), void *arg);
/*
 * From now on no write of user space is taken, whoever makes it: mode and policy are fixed, and what the
 * programs keep is theirs. The loader's own writes go to the few maps left.
 */
int maps_freeze(const struct bpf_object *object);
/* The sum over all CPUs. */
uint64_t counter_sum(uint32_t counter);

#endif /* CARGOWALL_MAPS_H */
