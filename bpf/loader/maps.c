/* SPDX-License-Identifier: Apache-2.0 */
/* The maps' descriptors, from the object or from their pins; the freeze, and the counters' sums. */
#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "maps.h"
#include "paths.h"

int map_fds[M_COUNT];
static const char *const map_names[M_COUNT] = {
	"config",  "heartbeat", "policy",   "rules",   "grants",     "locals", "resolvers",	"processes",
	"cgroups", "existing",	"flows",    "owners",  "counters",   "events", "dns_addresses", "dns_sockets",
	"uplinks", "traffic",	"arrivals", "replies", "identities", "former", "listeners",	"daemons",
};

int maps_find(const struct bpf_object *object, const char **why)
{
	for (int i = 0; i < M_COUNT; i++) {
		map_fds[i] = bpf_object__find_map_fd_by_name(object, map_names[i]);
		if (map_fds[i] < 0) {
			*why = map_names[i];
			return map_fds[i];
		}
	}
	return 0;
}

int maps_reopen(void)
{
	char path[128];

	for (int i = 0; i < M_COUNT; i++) {
		snprintf(path, sizeof(path), BPF_DIR "/map_%s", map_names[i]);
		map_fds[i] = bpf_obj_get(path);
		if (map_fds[i] < 0)
			return -errno;
	}
	return 0;
}

int maps_each(int (*visit)(int fd, const char *pin, void *arg), void *arg)
{
	char name[48];
	int err = 0;

	for (int i = 0; i < M_COUNT && !err; i++) {
		snprintf(name, sizeof(name), "map_%s", map_names[i]);
		err = visit(map_fds[i], name, arg);
	}
	return err;
}

/* What the loader writes as long as it runs; the ring has a page that its reader writes. */
static bool is_written_later(const char *name)
{
	static const enum map_index later[] = {M_GRANTS,  M_LOCALS,  M_UPLINKS, M_HEARTBEAT,
					       M_DAEMONS, M_REPLIES, M_EVENTS};

	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		if (!strcmp(name, map_names[later[i]]))
			return true;
	return false;
}

int maps_freeze(const struct bpf_object *object)
{
	const struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		union bpf_attr attr = {};

		/* constants are frozen as they are loaded */
		if (bpf_map__is_internal(map) || is_written_later(bpf_map__name(map)))
			continue;
		attr.map_fd = (uint32_t)bpf_map__fd(map);
		if (syscall(SYS_bpf, BPF_MAP_FREEZE, &attr, sizeof(attr)))
			return -errno;
	}
	return 0;
}

uint64_t counter_sum(uint32_t counter)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t values[1024] = {}, sum = 0;

	if (cpus < 1 || cpus > 1024 || bpf_map_lookup_elem(map_fds[M_COUNTERS], &counter, values))
		return 0;
	for (int i = 0; i < cpus; i++)
		sum += values[i];
	return sum;
}
