/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Job or runner, and what a process runs and comes from, from fork to exit. The loader fills in which of
 * the processes that are older than us are whose.
 */
#ifndef CARGOWALL_PROCESS_BPF_H
#define CARGOWALL_PROCESS_BPF_H

#include "owner.bpf.h"

static __always_inline int process_forked(struct task_struct *parent, struct task_struct *child)
{
	__u32 tgid = BPF_CORE_READ(child, tgid), of = BPF_CORE_READ(parent, tgid);
	struct process_key k = {.tgid = tgid};
	struct process_value *from, v = {};

	if (tgid == of)
		return 0; /* a thread */
	identity_forked(parent, child);
	from = process_of(of, start_ticks(parent));
	if (!from)
		return 0;
	v.start_ticks = start_ticks(child);
	if (from->scope == SCOPE_RUNNER && !(from->flags & PROCESS_IS_WORKER)) {
		v.scope = SCOPE_RUNNER;
		v.origin = ORIGIN_RUNNER;
		v.flags = PROCESS_INHERITED;
	} else {
		v.scope = SCOPE_EVERYONE;
		v.origin = ORIGIN_JOB;
	}
	if (bpf_map_update_elem(&processes, &k, &v, BPF_ANY))
		count(COUNTER_PROCESSES_FULL); /* fails closed: everyone's rules */
	return 0;
}

static __always_inline int process_exited(struct task_struct *task)
{
	struct process_key k = {.tgid = BPF_CORE_READ(task, tgid)};

	/* the last thread's exit: the first may end long before */
	if (BPF_CORE_READ(task, signal, live.counter))
		return 0;
	bpf_map_delete_elem(&processes, &k);
	identity_ended(task);
	return 0;
}

#endif /* CARGOWALL_PROCESS_BPF_H */
