/* SPDX-License-Identifier: Apache-2.0 */
/* TCX by system call: the C library's headers and libbpf of a build machine may not know it. */
#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tcx.h"

#ifdef NO_TCX /* a build for tests: the kernel as if it had none */
#define TCX_IS_LEFT_OUT true
#else
#define TCX_IS_LEFT_OUT false
#endif
#define BEFORE_ALL (1U << 3) /* BPF_F_BEFORE without a relative: the first of all */
#define PROGRAMS_MAX 64
#define LOOPBACK_IFINDEX 1 /* include/net/flow.h, in every network namespace */

static int attach(unsigned int ifindex, int program_fd, unsigned int flags)
{
	union bpf_attr attr = {};
	int fd;

	if (TCX_IS_LEFT_OUT)
		return -EINVAL;
	attr.link_create.prog_fd = (uint32_t)program_fd;
	attr.link_create.target_fd = ifindex; /* target_ifindex shares the slot */
	attr.link_create.attach_type = TCX_EGRESS;
	attr.link_create.flags = flags;
	fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	return fd < 0 ? -errno : fd;
}

int tcx_attach(unsigned int ifindex, int program_fd)
{
	return attach(ifindex, program_fd, BEFORE_ALL);
}

int tcx_attach_loopback(int program_fd)
{
	return attach(LOOPBACK_IFINDEX, program_fd, 0);
}

uint32_t tcx_first(unsigned int ifindex)
{
	uint32_t programs[PROGRAMS_MAX] = {};
	union bpf_attr attr = {};

	attr.query.target_fd = ifindex;
	attr.query.attach_type = TCX_EGRESS;
	attr.query.prog_ids = (uint64_t)(uintptr_t)programs;
	attr.query.prog_cnt = PROGRAMS_MAX;
	/* ENOSPC: there are more than asked for, and the first are told */
	if (syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)) && errno != ENOSPC)
		return 0;
	return programs[0];
}
