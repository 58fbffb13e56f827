/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What opens the wall and can't be frozen, as the loader alone has written it: a sum over all grants,
 * compared once a second with the map. Whoever else writes there (root, by the map's id) is told.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "findings.h"
#include "frame.h"
#include "maps.h"
#include "tally.h"

#define BATCH 4096

static uint64_t written; /* the sum of what we have written */

/* Order does not matter, so that the sum of a map is the sum of its entries (FNV-1a, then mixed). */
static uint64_t sum_of(const struct grant_key *k, const struct grant_value *v)
{
	unsigned char bytes[sizeof(*k) + sizeof(*v)];
	uint64_t h = 14695981039346656037ULL;

	memcpy(bytes, k, sizeof(*k));
	memcpy(bytes + sizeof(*k), v, sizeof(*v));
	for (size_t i = 0; i < sizeof(bytes); i++)
		h = (h ^ bytes[i]) * 1099511628211ULL;
	return (h ^ (h >> 32)) * 0x9e3779b97f4a7c15ULL;
}

void tally_came(const void *key, const void *value)
{
	written += sum_of(key, value);
}

void tally_went(const void *key, const void *value)
{
	written -= sum_of(key, value);
}

typedef void (*grant_visit)(const struct grant_key *k, const struct grant_value *v, void *to);

/* Shows every entry of the map. 0 or -errno. */
static int visit_map(grant_visit visit, void *to)
{
	static struct grant_key keys[BATCH];
	static struct grant_value values[BATCH];
	uint32_t at, *from = NULL, count;

	for (;; from = &at) {
		uint32_t next;
		int err;

		count = BATCH;
		err = bpf_map_lookup_batch(map_fds[M_GRANTS], from, &next, keys, values, &count, NULL);
		if (err && errno != ENOENT)
			return -errno;
		for (uint32_t i = 0; i < count; i++)
			visit(&keys[i], &values[i], to);
		if (err)
			return 0;
		at = next;
	}
}

static void add_to_sum(const struct grant_key *k, const struct grant_value *v, void *sum)
{
	*(uint64_t *)sum += sum_of(k, v);
}

/* The sum of the map as it is. 0 or -errno. */
static int sum_map(uint64_t *sum)
{
	*sum = 0;
	return visit_map(add_to_sum, sum);
}

struct listing {
	unsigned char *bytes;
	size_t size, room;
};

static void add_to_listing(const struct grant_key *k, const struct grant_value *v, void *to)
{
	struct listing *l = to;

	if (l->room - l->size < sizeof(*k) + sizeof(*v))
		return;
	memcpy(l->bytes + l->size, k, sizeof(*k));
	memcpy(l->bytes + l->size + sizeof(*k), v, sizeof(*v));
	l->size += sizeof(*k) + sizeof(*v);
}

unsigned char *tally_read(size_t *size)
{
	struct listing l = {.room = FRAME_MAX};

	l.bytes = malloc(l.room);
	if (!l.bytes || visit_map(add_to_listing, &l)) {
		free(l.bytes);
		return NULL;
	}
	*size = l.size;
	return l.bytes;
}

void tally_begin(void)
{
	(void)sum_map(&written);
}

void tally_check(void)
{
	uint64_t now;

	if (sum_map(&now)) {
		check_find(
			"the grants can not be read: whether somebody else has written there is not known");
		return;
	}
	if (now == written)
		return;
	written = now;
	check_happened("somebody else has written grants: they open what no rule allows");
}
