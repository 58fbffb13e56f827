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

static bool is_programmed(const struct local_key *key)
{
	for (size_t i = 0; i < programmed_count; i++)
		if (!memcmp(&programmed[i].key, key, sizeof(*key)))
			return true;
	return false;
}

/* A prefix that is none of the network's opens whatever lies in it. */
void locals_check(void)
{
	struct local_key key, *last = NULL;

	while (!bpf_map_get_next_key(map_fds[M_LOCALS], last, &key)) {
		last = is_programmed(&key) ? &key : NULL; /* a trie that has changed is read anew */
		if (last)
			continue;
		if (bpf_map_delete_elem(map_fds[M_LOCALS], &key)) {
			check_find("somebody else has written a local prefix, which could not be taken out");
			return;
		}
		check_happened("somebody else has written a local prefix; it is taken out again");
	}
}

void locals_reload(void)
{
	struct local_key key, *last = NULL;

	for (programmed_count = 0; programmed_count < PREFIXES_MAX; programmed_count++) {
		if (bpf_map_get_next_key(map_fds[M_LOCALS], last, &key))
			return;
		programmed[programmed_count].key = key;
		last = &programmed[programmed_count].key;
	}
}
