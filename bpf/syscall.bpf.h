/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Which family of sockets a call on its way into the kernel asks for, on kernels where no program decides about
 * it: of 64-bit, 32-bit and x32 programs, and of rings. socketcall(2) has its arguments in memory that a
 * second thread can change behind us: what that gets is looked for once a second (loader/raw.c).
 */
#ifndef CARGOWALL_SYSCALL_BPF_H
#define CARGOWALL_SYSCALL_BPF_H

#include "family.bpf.h"

struct pt_regs___x86 {
	unsigned long bx;
	unsigned long cx;
	unsigned long di;
} __attribute__((preserve_access_index));

struct pt_regs___arm64 {
	unsigned long long regs[31];
} __attribute__((preserve_access_index));

struct thread_info___x86 {
	unsigned int status;
} __attribute__((preserve_access_index));

struct thread_info___arm64 {
	unsigned long flags;
} __attribute__((preserve_access_index));

struct task_struct___x86 {
	struct thread_info___x86 thread_info;
} __attribute__((preserve_access_index));

struct task_struct___arm64 {
	struct thread_info___arm64 thread_info;
} __attribute__((preserve_access_index));

#define TS_COMPAT 2 /* arch/x86/include/asm/thread_info.h: a 32-bit call, whoever makes it */
#define TIF_32BIT (1UL << 22) /* arch/arm64/include/asm/thread_info.h */
#define X32_SYSCALL_BIT 0x40000000
#define X86_SOCKET 41
#define I386_SOCKET 359
#define I386_SOCKETCALL 102
#define ARM64_SOCKET 198
#define ARM_SOCKET 281
#define SYS_SOCKET 1 /* socketcall(2)'s first argument */
#define IORING_OP_SOCKET 45

struct io_cmd_data {
	struct file *file; /* where an operation's own struct begins */
} __attribute__((preserve_access_index));

struct io_kiocb {
	struct io_cmd_data cmd;
	unsigned char opcode;
} __attribute__((preserve_access_index));

struct io_socket {
	int domain;
} __attribute__((preserve_access_index));

static __always_inline int x86_family(struct pt_regs *regs, long id)
{
	struct pt_regs___x86 *r = (void *)regs;
	struct task_struct___x86 *task = (void *)bpf_get_current_task();
	bool is_i386 = BPF_CORE_READ(task, thread_info.status) & TS_COMPAT;
	unsigned int family = 0;

	if (!is_i386)
		return (id & ~X32_SYSCALL_BIT) == X86_SOCKET ? (int)BPF_CORE_READ(r, di) : 0;
	if (id == I386_SOCKET)
		return (int)BPF_CORE_READ(r, bx);
	if (id == I386_SOCKETCALL && BPF_CORE_READ(r, bx) == SYS_SOCKET)
		bpf_probe_read_user(&family, sizeof(family), (void *)BPF_CORE_READ(r, cx));
	return (int)family;
}

static __always_inline int arm64_family(struct pt_regs *regs, long id)
{
	struct pt_regs___arm64 *r = (void *)regs;
	struct task_struct___arm64 *task = (void *)bpf_get_current_task();
	bool is_arm = BPF_CORE_READ(task, thread_info.flags) & TIF_32BIT;

	return id == (is_arm ? ARM_SOCKET : ARM64_SOCKET) ? (int)BPF_CORE_READ(r, regs[0]) : 0;
}

static __always_inline int syscall_notice(struct pt_regs *regs, long id)
{
	if (bpf_core_field_exists(struct pt_regs___x86, di)) {
		if (id != X86_SOCKET && id != (X86_SOCKET | X32_SYSCALL_BIT) && id != I386_SOCKET &&
		    id != I386_SOCKETCALL)
			return 0;
		return family_notice(x86_family(regs, id));
	}
	if (id != ARM64_SOCKET && id != ARM_SOCKET)
		return 0;
	return family_notice(arm64_family(regs, id));
}

static __always_inline int ring_notice(struct io_kiocb *request)
{
	struct io_socket *socket = (void *)__builtin_preserve_access_index(&request->cmd);

	if (BPF_CORE_READ(request, opcode) != IORING_OP_SOCKET)
		return 0;
	return family_notice(BPF_CORE_READ(socket, domain));
}

#endif /* CARGOWALL_SYSCALL_BPF_H */
