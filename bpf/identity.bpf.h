/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What a process runs and where it comes from, read from the kernel alone. A child inherits its parent's
 * ancestors at fork, so that they outlive them all and an orphan keeps the parent that started it; of a
 * process older than us they are the parents the kernel has when it is met first. The file is the one of
 * the last exec: what a process says of itself later (PR_SET_MM) changes nothing.
 */
#ifndef CARGOWALL_IDENTITY_BPF_H
#define CARGOWALL_IDENTITY_BPF_H

#include "maps.bpf.h"

static __always_inline __u64 start_ns(struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	return BPF_CORE_READ(leader, start_boottime);
}

static __always_inline struct file *exe_file(struct task_struct *task)
{
	if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return 0;
	return BPF_CORE_READ(task, mm, exe_file);
}

static __always_inline void exe_read(struct exe *exe, struct file *file)
{
	struct inode *inode = file ? BPF_CORE_READ(file, f_inode) : 0;

	__builtin_memset(exe, 0, sizeof(*exe));
	if (!inode)
		return;
	exe->ino = BPF_CORE_READ(inode, i_ino);
	exe->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	exe->flags = BPF_CORE_READ(inode, i_nlink) ? 0 : EXE_UNLINKED;
}

/* Whether the file has been deleted since; `task` runs it. */
static __always_inline void exe_look_again(struct exe *exe, struct task_struct *task)
{
	struct exe now;

	exe_read(&now, exe_file(task));
	if (now.ino == exe->ino && now.dev == exe->dev)
		exe->flags = now.flags;
}

static __always_inline void identity_read_exe(struct identity *v, struct task_struct *task)
{
	struct file *file = exe_file(task);

	exe_read(&v->exe, file);
	__builtin_memset(v->file, 0, sizeof(v->file));
	if (file)
		bpf_probe_read_kernel_str(v->file, sizeof(v->file),
					  BPF_CORE_READ(file, f_path.dentry, d_name.name));
}

/* One ancestor, but for its file. */
static __always_inline void ancestor_read(struct ancestor *a, struct task_struct *leader)
{
	a->start_ns = BPF_CORE_READ(leader, start_boottime);
	a->pid = (__u32)BPF_CORE_READ(leader, tgid);
	a->pad = 0;
	BPF_CORE_READ_STR_INTO(&a->comm, leader, comm);
}

/* The ancestors of a process older than us. */
static __noinline int identity_read_parents(struct identity *v, struct task_struct *task)
{
	__u8 depth = 0;
	int i;

	if (!v)
		return 0;
	for (i = 0; i < ANCESTORS_MAX; i++) {
		struct ancestor *a = &v->ancestors[i];

		task = BPF_CORE_READ(task, group_leader, real_parent, group_leader);
		if (!task || !BPF_CORE_READ(task, tgid))
			break;
		ancestor_read(a, task);
		exe_read(&a->exe, exe_file(task));
		depth++;
	}
	v->depth = depth;
	return 0;
}

/* The entry of a process of which `task`, which runs now, is a thread; NULL: there is no room. */
static __always_inline struct identity *identity_of(struct task_struct *task)
{
	static const struct identity none;
	__u32 tgid = (__u32)BPF_CORE_READ(task, tgid);
	__u64 start = start_ns(task);
	struct identity *v = bpf_map_lookup_elem(&identities, &tgid);

	if (v && v->start_ns == start)
		return v;
	if (!v) {
		bpf_map_update_elem(&identities, &tgid, &none, BPF_NOEXIST);
		v = bpf_map_lookup_elem(&identities, &tgid);
	}
	if (!v)
		return 0;
	identity_read_parents(v, task);
	identity_read_exe(v, task);
	v->execs = 0;
	v->seen = 0;
	barrier();
	v->start_ns = start; /* whole from here on; another thread writes the same */
	return v;
}

/* Notes that a record may speak of the process that calls; its execs. */
static __noinline __u32 identity_seen(struct task_struct *task)
{
	struct identity *v = identity_of(task);

	if (!v)
		return 0;
	if (!v->seen) {
		exe_look_again(&v->exe, task);
		v->seen = 1;
	}
	return v->execs;
}

static __always_inline void identity_forked(struct task_struct *parent, struct task_struct *child)
{
	__u32 tgid = (__u32)BPF_CORE_READ(child, tgid);
	struct identity *from = identity_of(parent), *v;
	int i;

	if (!from || bpf_map_update_elem(&identities, &tgid, from, BPF_ANY))
		return;
	v = bpf_map_lookup_elem(&identities, &tgid);
	if (!v)
		return;
	for (i = ANCESTORS_MAX - 1; i > 0; i--)
		v->ancestors[i] = from->ancestors[i - 1];
	ancestor_read(&v->ancestors[0], BPF_CORE_READ(parent, group_leader));
	v->ancestors[0].exe = from->exe;
	exe_look_again(&v->ancestors[0].exe, parent);
	v->depth = from->depth < ANCESTORS_MAX ? from->depth + 1 : ANCESTORS_MAX;
	v->execs = 0;
	v->seen = 0;
	v->start_ns = start_ns(child);
}

/* What records may still speak of is kept, before it changes or goes: the loader relies on that order. */
static __always_inline struct identity *identity_kept(struct task_struct *task)
{
	__u32 tgid = (__u32)BPF_CORE_READ(task, tgid);
	struct identity *v = bpf_map_lookup_elem(&identities, &tgid);
	struct identity_key k = {.pid = tgid};

	if (!v || v->start_ns != start_ns(task))
		return 0;
	k.start_ns = v->start_ns;
	k.execs = v->execs;
	if (v->seen)
		bpf_map_update_elem(&former, &k, v, BPF_ANY);
	return v;
}

static __always_inline void identity_replaced(struct task_struct *task)
{
	struct identity *v = identity_kept(task);

	if (!v)
		return;
	barrier();
	v->execs++;
	v->seen = 0;
	identity_read_exe(v, task);
}

static __always_inline void identity_ended(struct task_struct *task)
{
	__u32 tgid = (__u32)BPF_CORE_READ(task, tgid);

	identity_kept(task);
	bpf_map_delete_elem(&identities, &tgid);
}

#endif /* CARGOWALL_IDENTITY_BPF_H */
