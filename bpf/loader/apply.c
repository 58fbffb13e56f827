/* SPDX-License-Identifier: Apache-2.0 */
/* Map writes of the daemon: bounds-checked, and all or nothing a batch. */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "loader.h"

static const struct {
	enum map_index index;
	uint16_t key, value;
} writable[] = {
	[MAP_RULES] = {M_RULES, sizeof(struct rule_key), sizeof(struct rule_value)},
	[MAP_GRANTS] = {M_GRANTS, sizeof(struct grant_key), sizeof(struct grant_value)},
	[MAP_RESOLVERS] = {M_RESOLVERS, sizeof(struct resolver_key), sizeof(uint32_t)},
	[MAP_CGROUPS] = {M_CGROUPS, sizeof(struct cgroup_key), sizeof(struct cgroup_value)},
	[MAP_EXISTING] = {M_EXISTING, sizeof(struct flow_key), sizeof(struct flow_value)},
	[MAP_POLICY] = {M_POLICY, sizeof(uint32_t), sizeof(struct policy_config)},
};

struct write {
	unsigned char op, map;
	uint16_t key_size, value_size, pad;
};

/* The write at *at; 0, or -EINVAL when it does not fit the map it names. */
static int next_write(const unsigned char *p, size_t size, size_t *at, struct write *w,
		      const unsigned char **key, const unsigned char **value)
{
	if (size - *at < sizeof(*w))
		return -EINVAL;
	memcpy(w, p + *at, sizeof(*w));
	*at += sizeof(*w);
	if (w->map < 1 || w->map >= sizeof(writable) / sizeof(writable[0]) || w->op < 1 || w->op > 2)
		return -EINVAL;
	if (w->key_size != writable[w->map].key ||
	    w->value_size != (w->op == 1 ? writable[w->map].value : 0))
		return -EINVAL;
	if (size - *at < (size_t)w->key_size + w->value_size)
		return -EINVAL;
	*key = p + *at;
	*value = *key + w->key_size;
	*at += (size_t)w->key_size + w->value_size;
	return 0;
}

/* Takes back the first `count` updates of a batch that failed: fails closed, nothing half open. */
static void take_back(const unsigned char *p, size_t size, uint32_t count)
{
	const unsigned char *key, *value;
	struct write w;
	size_t at = 0;

	for (uint32_t i = 0; i < count && !next_write(p, size, &at, &w, &key, &value); i++)
		if (w.op == 1 && w.map != MAP_POLICY)
			bpf_map_delete_elem(map_fds[writable[w.map].index], key);
}

int apply_writes(const unsigned char *p, size_t size, uint32_t *failed)
{
	const unsigned char *key, *value;
	struct write w;
	size_t at = 0;
	int err = 0;

	/* the whole batch is read once before anything is written */
	for (*failed = 0; at < size; (*failed)++)
		if (next_write(p, size, &at, &w, &key, &value))
			return -EINVAL;
	for (at = 0, *failed = 0; at < size; (*failed)++) {
		next_write(p, size, &at, &w, &key, &value);
		if (w.op == 1)
			err = bpf_map_update_elem(map_fds[writable[w.map].index], key, value, BPF_ANY);
		else
			bpf_map_delete_elem(map_fds[writable[w.map].index], key);
		if (err) {
			err = -errno;
			take_back(p, size, *failed);
			return err;
		}
	}
	return 0;
}
