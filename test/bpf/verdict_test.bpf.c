// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* verdict_for() under test: the question stands behind the packet's Ethernet header. */
#include "verdict.bpf.h"

char _license[] SEC("license") = "Dual MIT/GPL";

/* The verdict, what decided and the rule: by | verdict << 8 | rule << 16. */
SEC("tc")
int verdict_test(struct __sk_buff *skb)
{
	struct question q;
	struct decision d = {};

	if (bpf_skb_load_bytes(skb, 14, &q, sizeof(q)))
		return -1;
	verdict_for(&q, &d);
	return d.by | d.verdict << 8 | d.rule << 16;
}
