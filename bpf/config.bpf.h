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
	return c->heartbeat_ns && bpf_ktime_get_ns() - c->heartbeat_ns > c->heartbeat_limit_ns;
}

/* The one line that knows about modes. */
static __always_inline bool passes(const struct config *c, __u8 verdict)
{
	return verdict == VERDICT_ALLOW || c->mode != MODE_ENFORCE;
}

#endif /* CARGOWALL_CONFIG_BPF_H */
