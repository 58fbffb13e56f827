/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The two configuration records, and the questions the hooks ask of them. */
#ifndef CARGOWALL_CONFIG_BPF_H
#define CARGOWALL_CONFIG_BPF_H

#include "maps.bpf.h"

/* The loader's half; NULL never happens, the verifier wants it asked. */
static __always_inline struct config *config_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&config, &zero);
}

/* The daemon's half. */
static __always_inline struct policy_config *policy_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&policy, &zero);
}

/* No heartbeat for longer than the limit: the runner's own traffic no longer waits for it. */
static __always_inline bool daemon_gone(const struct config *c)
{
	__u32 zero = 0;
	const __u64 *last = bpf_map_lookup_elem(&heartbeat, &zero);
	__u64 now = bpf_ktime_get_ns();

	return last && *last && now > *last && now - *last > c->heartbeat_limit_ns;
}

/* The one place that knows about modes. The proof's addresses are refused in both (spec 10). */
static __always_inline bool passes(const struct config *c, __u8 verdict, __u8 by)
{
	if (verdict == VERDICT_ALLOW || c->mode == MODE_NOTING)
		return true;
	return c->mode != MODE_ENFORCE && by != BY_PROOF;
}

#endif /* CARGOWALL_CONFIG_BPF_H */
