/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a program may decide which sockets are made (fmod_ret on security_socket_create): there are
 * kernels without the trampolines it needs, and kernels that have them and take none. There the calls that
 * ask for one are told, which costs each call of the machine a little.
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "families.h"

#define HOOK "security_socket_create"
#define DECIDES "egress_socket"
#define SEES_CALLS "egress_syscall"
#define SEES_RINGS "egress_ring"

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

static bool is_guarded(void)
{
	static enum { UNKNOWN, NO, YES } answer;

	if (answer == UNKNOWN)
		answer = takes_program() ? YES : NO;
	return answer == YES;
}

/* Where a ring's request is seen; NULL: the kernel has no rings. */
static const char *ring_hook(void)
{
	static const char *const hooks[] = {"io_uring_submit_req", "io_uring_submit_sqe"};
	static const char *found;
	static bool looked;
	struct btf *types = looked ? NULL : btf__load_vmlinux_btf();

	for (int i = 0; types && !found && i < 2; i++) {
		char name[64];

		snprintf(name, sizeof(name), "btf_trace_%s", hooks[i]);
		if (btf__find_by_name_kind(types, name, BTF_KIND_TYPEDEF) > 0)
			found = hooks[i];
	}
	btf__free(types);
	looked = true;
	return found;
}

bool families_have(const char *program)
{
	if (!strcmp(program, DECIDES))
		return is_guarded();
	if (!strcmp(program, SEES_CALLS))
		return !is_guarded();
	if (!strcmp(program, SEES_RINGS))
		return !is_guarded() && ring_hook();
	return true;
}

bool families_are_of(const char *program)
{
	return !strcmp(program, DECIDES) || !strcmp(program, SEES_CALLS) || !strcmp(program, SEES_RINGS);
}

bool families_are_told(void)
{
	return !is_guarded();
}

void families_prepare(struct bpf_object *object)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
	{
		const char *name = bpf_program__name(program);

		bpf_program__set_autoload(program, families_have(name));
		if (!strcmp(name, SEES_RINGS) && ring_hook())
			bpf_program__set_attach_target(program, 0, ring_hook());
	}
}
