/* SPDX-License-Identifier: Apache-2.0 */
/* When the daemon was last heard of. */
#include <bpf/bpf.h>

#include "clock.h"
#include "findings.h"
#include "heartbeat.h"
#include "maps.h"

#define STOOD_STILL_NS 2000000000ULL /* between two turns */

static uint64_t heartbeat_ns;

/* What somebody else has written lasts no longer than until now. */
void heartbeat_check(void)
{
	uint32_t zero = 0;
	uint64_t kept;

	if (!heartbeat_ns || bpf_map_lookup_elem(map_fds[M_HEARTBEAT], &zero, &kept) || kept == heartbeat_ns)
		return;
	bpf_map_update_elem(map_fds[M_HEARTBEAT], &zero, &heartbeat_ns, BPF_ANY);
	check_happened("somebody else has written when the daemon was last heard of; it is put right");
}

void heartbeat_again(void)
{
	heartbeat_ns = 0;
	heartbeat();
}

void heartbeat(void)
{
	uint32_t zero = 0;

	heartbeat_check();
	heartbeat_ns = now_ns(CLOCK_MONOTONIC);
	bpf_map_update_elem(map_fds[M_HEARTBEAT], &zero, &heartbeat_ns, BPF_ANY);
}

bool heartbeat_is_late(uint64_t limit_ns)
{
	static uint64_t last;
	uint64_t now = now_ns(CLOCK_MONOTONIC), before = last;

	last = now;
	if (now - before >= STOOD_STILL_NS) {
		heartbeat();
		return false;
	}
	return now - heartbeat_ns >= limit_ns;
}
