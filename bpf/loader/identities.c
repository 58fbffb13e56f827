/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identities of processes: each is sent to the daemon before the first event or question of its process,
 * and again when it is not among the latest IDENTITIES_BATCH that were.
 */
#include "identities.h"

#include <stdbool.h>
#include <string.h>

#include <bpf/bpf.h>

#include "frame.h"
#include "maps.h"

#define SLOTS (4 * IDENTITIES_BATCH) /* a power of two */
#define FRAME_ROWS 64

struct row {
	struct identity_key key;
	struct identity identity;
};
_Static_assert(sizeof(struct row) == sizeof(struct identity_key) + sizeof(struct identity), "row");

/* By a hash of the key; the latest one of a slot stays. */
static struct {
	struct identity_key key;
	uint64_t number; /* of its telling, from 1; 0 = none */
} slots[SLOTS];
static uint64_t told;
static struct row rows[FRAME_ROWS];
static size_t count;

/*
 * The kernel keeps what a process was in `former` before it changes or deletes it in `identities`: what was
 * read there is whole if it is not in `former` afterwards.
 */
static bool find(const struct identity_key *k, struct identity *v)
{
	struct identity now;
	int live;

	if (!bpf_map_lookup_elem(map_fds[M_FORMER], k, v))
		return true;
	live = bpf_map_lookup_elem(map_fds[M_IDENTITIES], &k->pid, &now);
	if (!bpf_map_lookup_elem(map_fds[M_FORMER], k, v))
		return true;
	*v = now;
	return !live && now.start_ns == k->start_ns && now.execs == k->execs;
}

uint64_t identities_told(void)
{
	return told;
}

int identity_tell(int channel, uint32_t pid, uint64_t start_ns, uint32_t execs)
{
	struct identity_key k = {.start_ns = start_ns, .pid = pid, .execs = execs};
	uint64_t hash = (start_ns ^ ((uint64_t)pid << 32) ^ execs) * 0x9e3779b97f4a7c15ULL;
	size_t slot = (hash >> 32) % SLOTS;

	if (!pid || !start_ns)
		return 0;
	if (slots[slot].number && told - slots[slot].number < IDENTITIES_BATCH &&
	    !memcmp(&slots[slot].key, &k, sizeof(k)))
		return 0;
	if (!find(&k, &rows[count].identity))
		return 0; /* forgotten: the daemon counts it */
	rows[count++].key = k;
	slots[slot].key = k;
	slots[slot].number = ++told;
	return count == FRAME_ROWS ? identities_flush(channel) : 0;
}

int identities_flush(int channel)
{
	size_t size = count * sizeof(struct row);

	count = 0;
	return size ? frame_send(channel, FRAME_IDENTITIES, 0, 0, rows, size) : 0;
}

void identities_forget(void)
{
	memset(slots, 0, sizeof(slots));
	count = 0;
}
