/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Who is calling: the process, its scope and origin, kept in the socket's storage. */
#ifndef CARGOWALL_OWNER_BPF_H
#define CARGOWALL_OWNER_BPF_H

#include "config.bpf.h"
#include "identity.bpf.h"

#define NS_PER_TICK 10000000ULL /* USER_HZ is 100, as /proc/PID/stat counts */

static __always_inline __u64 start_ticks(struct task_struct *task)
{
	return start_ns(task) / NS_PER_TICK;
}

/* A copy of a socket's head; NULL: it can't be had. The verifier lets nobody count from the socket itself. */
static __always_inline struct sock_head *sock_head_of(struct bpf_sock *sk)
{
	__u32 zero = 0;
	struct sock_head *head = bpf_map_lookup_elem(&sock_heads, &zero);

	return !head || bpf_probe_read_kernel(head, sizeof(*head), sk) ? 0 : head;
}

/* The entry of a live process; a reused id is told by its start time. */
static __always_inline struct process_value *process_of(__u32 tgid, __u64 ticks)
{
	struct process_key k = {.tgid = tgid};
	struct process_value *v = bpf_map_lookup_elem(&processes, &k);

	return v && v->start_ticks == ticks ? v : 0;
}

static __always_inline bool is_daemon(__u32 tgid, __u64 ticks)
{
	__u32 zero = 0;
	const struct daemon_value *d = bpf_map_lookup_elem(&daemons, &zero);

	return d && d->tgid == tgid && d->start_ticks == ticks;
}

/* Whether a process lives in namespaces of its own, as a container does that shares the network. */
static __always_inline bool is_contained(struct task_struct *task, const struct config *c)
{
	struct nsproxy *own = BPF_CORE_READ(task, nsproxy);

	if (!own || !c->host_pidns || !c->host_cgroupns)
		return false;
	return BPF_CORE_READ(own, pid_ns_for_children, ns.inum) != c->host_pidns ||
	       BPF_CORE_READ(own, cgroup_ns, ns.inum) != c->host_cgroupns;
}

/* Fills the owner of a socket from the current process. */
static __always_inline void owner_fill(struct socket_state *s, const struct config *c, __u64 netns,
				       __u64 cookie)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	__u64 cgroup = bpf_get_current_cgroup_id();
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct process_value *v = process_of(tgid, start_ticks(task));
	struct cgroup_key ck = {.id = cgroup};
	const struct cgroup_value *cv;

	s->known = 1;
	s->pid = tgid;
	s->uid = (__u32)bpf_get_current_uid_gid();
	s->cgroup = cgroup;
	s->netns = netns;
	s->cookie = cookie;
	s->start_ns = start_ns(task);
	s->execs = identity_seen(task);
	if (BPF_CORE_READ(task, flags) & PF_IO_WORKER)
		BPF_CORE_READ_STR_INTO(&s->comm, task, group_leader, comm);
	else
		bpf_get_current_comm(s->comm, COMM_SIZE);
	s->scope = SCOPE_EVERYONE;
	s->origin = netns == c->host_netns && !is_contained(task, c) ? ORIGIN_SYSTEM : ORIGIN_CONTAINER;
	if (cgroup == c->loader_cgroup) {
		s->origin = ORIGIN_DAEMON;
		return;
	}
	if (is_daemon(tgid, start_ticks(task))) {
		/* the daemon in its own cgroup: who else comes there has everyone's rules */
		if (cgroup == c->daemon_cgroup) {
			s->origin = ORIGIN_DAEMON;
			s->scope = SCOPE_DAEMON;
		}
		return;
	}
	cv = bpf_map_lookup_elem(&cgroups, &ck);
	if (cv)
		s->scope = cv->scope;
	if (!v)
		return;
	if (v->scope != SCOPE_RUNNER) {
		s->origin = v->origin;
	} else if (!(v->flags & PROCESS_INHERITED) || cgroup == c->worker_cgroup) {
		/* what is inherited ends with the worker's cgroup */
		s->scope = SCOPE_RUNNER;
		s->origin = ORIGIN_RUNNER;
	}
}

#endif /* CARGOWALL_OWNER_BPF_H */
