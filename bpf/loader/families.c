/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a program may decide which sockets are made (fmod_ret on security_socket_create): there are
 * kernels without the trampolines it needs, and kernels that have them and take none.
 */
#include <linux/bpf.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "families.h"

#define HOOK "security_socket_create"

/* Loads and attaches, for a moment, a program that says 0: it changes nothing. */
static bool takes_program(void)
{
	static const struct bpf_insn says_0[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_MODIFY_RETURN);
	int program, link;

	opts.attach_btf_id = (__u32)libbpf_find_vmlinux_btf_id(HOOK, BPF_MODIFY_RETURN);
	if ((int)opts.attach_btf_id <= 0)
		return false;
	program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "probe", "GPL", says_0, 2, &opts);
	if (program < 0)
		return false;
	link = bpf_raw_tracepoint_open(NULL, program);
	if (link >= 0)
		close(link);
	close(program);
	return link >= 0;
}

bool families_are_guarded(void)
{
	static enum { UNKNOWN, NO, YES } answer;

	if (answer == UNKNOWN)
		answer = takes_program() ? YES : NO;
	return answer == YES;
}
