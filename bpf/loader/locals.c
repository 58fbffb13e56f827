/* SPDX-License-Identifier: Apache-2.0 */
/* Local prefixes: gathered at a scan, then compared with what the kernel's map has. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <bpf/bpf.h>

#include "findings.h"
#include "interfaces.h"
#include "locals.h"
#include "maps.h"

#define PREFIXES_MAX 2048

struct prefix {
	struct local_key key;
	uint32_t flags;
	unsigned int ifindex;
};

static struct prefix prefixes[PREFIXES_MAX], programmed[PREFIXES_MAX];
static size_t prefix_count, programmed_count;

void locals_clear(void)
{
	prefix_count = 0;
}

void locals_add(const struct address *a, unsigned int length, uint32_t flags, unsigned int ifindex)
{
	struct prefix *p;

	if (prefix_count == PREFIXES_MAX)
		return; /* fails closed: counts as leaving the machine */
	p = &prefixes[prefix_count++];
	memset(p, 0, sizeof(*p));
	p->key.prefixlen = length;
	p->key.addr = *a;
	p->flags = flags;
	p->ifindex = ifindex;
}

void locals_apply(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < prefix_count; i++) {
		struct prefix p = prefixes[i];
		struct local_value v = {.prefixlen = p.key.prefixlen, .flags = p.flags};

		if (p.ifindex && network_leads_off(p.ifindex))
			continue;
		bpf_map_update_elem(map_fds[M_LOCALS], &p.key, &v, BPF_ANY);
		prefixes[kept++] = p;
	}
	prefix_count = kept;
	for (size_t i = 0; i < programmed_count; i++) {
		bool still = false;

		for (size_t j = 0; j < prefix_count && !still; j++)
			still = !memcmp(&programmed[i].key, &prefixes[j].key, sizeof(prefixes[j].key));
		if (!still)
			bpf_map_delete_elem(map_fds[M_LOCALS], &programmed[i].key);
	}
	memcpy(programmed, prefixes, sizeof(prefixes[0]) * prefix_count);
	programmed_count = prefix_count;
}

static const struct prefix *programmed_as(const struct local_key *key)
{
	/* the last one of a key is what the map has */
	for (size_t i = programmed_count; i > 0; i--)
		if (!memcmp(&programmed[i - 1].key, key, sizeof(*key)))
			return &programmed[i - 1];
	return NULL;
}

/* Whether the map has a prefix as it was programmed. */
static bool is_as_programmed(const struct local_key *key)
{
	const struct prefix *p = programmed_as(key);
	struct local_value v;

	return p && !bpf_map_lookup_elem(map_fds[M_LOCALS], key, &v) && v.prefixlen == key->prefixlen &&
	       v.flags == p->flags;
}

/* Puts one back to what was programmed; 0 or -1. */
static int restore(const struct local_key *key)
{
	const struct prefix *p = programmed_as(key);
	struct local_value v = {.prefixlen = key->prefixlen, .flags = p ? p->flags : 0};

	return p ? bpf_map_update_elem(map_fds[M_LOCALS], key, &v, BPF_ANY)
		 : bpf_map_delete_elem(map_fds[M_LOCALS], key);
}

#define LOOKS_MAX 8192 /* who writes without end must not hold us here */

/* A prefix that is none of the network's opens whatever lies in it. */
void locals_check(void)
{
	struct local_key key, *last = NULL;

	for (int i = 0; i < LOOKS_MAX && !bpf_map_get_next_key(map_fds[M_LOCALS], last, &key); i++) {
		last = is_as_programmed(&key) ? &key : NULL; /* a trie that has changed is read anew */
		if (last)
			continue;
		if (restore(&key)) {
			check_find("somebody else has written a local prefix, which could not be taken out");
			return;
		}
		check_happened("somebody else has written a local prefix; it is taken out again");
	}
}

void locals_reload(void)
{
	struct local_key *last = NULL;

	for (programmed_count = 0; programmed_count < PREFIXES_MAX; programmed_count++) {
		struct prefix *p = &programmed[programmed_count];
		struct local_value v;

		if (bpf_map_get_next_key(map_fds[M_LOCALS], last, &p->key) ||
		    bpf_map_lookup_elem(map_fds[M_LOCALS], &p->key, &v))
			return;
		p->flags = v.flags;
		last = &p->key;
	}
}
