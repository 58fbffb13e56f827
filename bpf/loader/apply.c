/* SPDX-License-Identifier: Apache-2.0 */
/* Map writes of the daemon: bounds-checked, and all or nothing a batch. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "apply.h"
#include "maps.h"
#include "tally.h"

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
	[MAP_REPLIES] = {M_REPLIES, sizeof(struct reply_key), sizeof(struct reply_value)},
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
	if (w->key_size != writable[w->map].key || w->value_size != (w->op == 1 ? writable[w->map].value : 0))
		return -EINVAL;
	if (size - *at < (size_t)w->key_size + w->value_size)
		return -EINVAL;
	*key = p + *at;
	*value = *key + w->key_size;
	*at += (size_t)w->key_size + w->value_size;
	return 0;
}

/* What stood at a key before a write. */
struct before {
	bool stood;
	unsigned char value[sizeof(struct reply_value)]; /* the biggest */
};

/* Of what can be written after green, the sum is kept. */
static void tally(uint8_t map, const unsigned char *key, const struct before *before,
		  const unsigned char *value)
{
	if (map != MAP_GRANTS)
		return;
	if (before->stood)
		tally_went(key, before->value);
	if (value)
		tally_came(key, value);
}

/* Does one write and keeps what it replaces; 0 or -errno. */
static int write_one(const struct write *w, const unsigned char *key, const unsigned char *value,
		     struct before *before)
{
	int fd = map_fds[writable[w->map].index];

	before->stood = false;
	if (w->op == 2) {
		/* a trie answers with a shorter prefix too: it stood only if it could be deleted */
		bool found = !bpf_map_lookup_elem(fd, key, before->value);

		before->stood = !bpf_map_delete_elem(fd, key) && found;
		tally(w->map, key, before, NULL);
		return 0;
	}
	if (!bpf_map_update_elem(fd, key, value, BPF_NOEXIST)) {
		tally(w->map, key, before, value);
		return 0;
	}
	/* a frozen map takes nothing: what it has already is no write (a daemon that came back) */
	if (errno == EPERM)
		return bpf_map_lookup_elem(fd, key, before->value) ||
				       memcmp(before->value, value, w->value_size)
			       ? -EPERM
			       : 0;
	if (errno != EEXIST)
		return -errno;
	before->stood = !bpf_map_lookup_elem(fd, key, before->value);
	if (bpf_map_update_elem(fd, key, value, BPF_ANY))
		return -errno;
	tally(w->map, key, before, value);
	return 0;
}

/* Undoes a write that was done. */
static void take_back_one(const struct write *w, const unsigned char *key, const unsigned char *value,
			  const struct before *before)
{
	int fd = map_fds[writable[w->map].index];
	struct before now = {.stood = w->op == 1};

	if (w->op == 1)
		memcpy(now.value, value, w->value_size);
	if (before->stood && !bpf_map_update_elem(fd, key, before->value, BPF_ANY))
		tally(w->map, key, &now, before->value);
	else if (!before->stood && w->op == 1 && !bpf_map_delete_elem(fd, key))
		tally(w->map, key, &now, NULL);
}

/* Takes back the first `count` writes of a batch that failed, the last one first. */
static void take_back(const unsigned char *p, size_t size, const struct before *before, uint32_t count)
{
	const unsigned char *key, *value;
	struct write w;

	while (count-- > 0) {
		size_t at = 0;

		for (uint32_t i = 0; i <= count; i++)
			next_write(p, size, &at, &w, &key, &value);
		take_back_one(&w, key, value, &before[count]);
	}
}

int apply_writes(const unsigned char *p, size_t size, uint32_t *failed)
{
	const unsigned char *key, *value;
	struct before *before;
	struct write w;
	size_t at = 0;
	int err = 0;

	/* the whole batch is read once before anything is written */
	for (*failed = 0; at < size; (*failed)++)
		if (next_write(p, size, &at, &w, &key, &value))
			return -EINVAL;
	before = calloc(*failed ? *failed : 1, sizeof(*before));
	if (!before)
		return -ENOMEM;
	for (at = 0, *failed = 0; at < size; (*failed)++) {
		next_write(p, size, &at, &w, &key, &value);
		err = write_one(&w, key, value, &before[*failed]);
		if (err) {
			take_back(p, size, before, *failed);
			break;
		}
	}
	free(before);
	return err;
}
