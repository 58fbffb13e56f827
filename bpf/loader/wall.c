/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wall of an uplink: the TC program as a TCX link, or, where the kernel has none (before 6.6), as a
 * clsact filter. Which of them is probed, never concluded from a version.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "links.h"

#define BEFORE_ALL (1U << 3) /* BPF_F_BEFORE without a relative: the first of all */
#define PROGRAMS_MAX 64
#define LOOPBACK_IFINDEX 1 /* include/net/flow.h, in every network namespace */

bool wall_is_coming_back;

static int attach_with(unsigned int ifindex, int program_fd, unsigned int flags)
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
	return attach_with(ifindex, program_fd, BEFORE_ALL);
}

int loopback_attach(int program_fd)
{
	return attach_with(LOOPBACK_IFINDEX, program_fd, 0);
}

int again_attach(void)
{
	int fd = loopback_attach(object_program(PROGRAM_AGAIN)), err;

	if (fd < 0)
		return fd == -EINVAL ? 0 : fd;
	err = link_keep(fd, -1, 0, LINK_PREFIX "egress_again");
	if (err)
		close(fd);
	return err;
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

static int attach(unsigned int ifindex)
{
	int fd = tcx_attach(ifindex, object_program(PROGRAM_TC)), err;
	char name[48];

	if (fd < 0 && fd != -EINVAL)
		return fd;
	if (fd >= 0) {
		snprintf(name, sizeof(name), LINK_PREFIX "tc_%u", ifindex);
		err = link_keep(fd, -1, ifindex, name);
		if (err)
			close(fd);
		return err;
	}
	err = clsact_attach(ifindex, object_program(PROGRAM_TC));
	if (err)
		return err;
	fd = dup(object_program(PROGRAM_TC));
	snprintf(name, sizeof(name), FILTER_PREFIX "%u", ifindex);
	err = fd < 0 ? -errno : link_keep(-1, fd, ifindex, name);
	if (err && fd >= 0)
		close(fd);
	return err;
}

static void tell_missing(unsigned int ifindex)
{
	char finding[128], name[IF_NAMESIZE] = "";

	if_indextoname(ifindex, name);
	snprintf(finding, sizeof(finding),
		 "the uplink %s had no wall when the loader came back; it has one again", name);
	check_happened(finding);
}

int wall_attach(unsigned int ifindex)
{
	struct link_state *l;
	int err;

	links_forget_gone();
	l = link_of(ifindex);
	if (l) {
		check_link(l);
		return 0;
	}
	err = attach(ifindex);
	if (!err && wall_is_coming_back)
		tell_missing(ifindex);
	l = link_of(ifindex);
	return !err && object_is_pinned() ? link_pin(l) : err;
}

void wall_gone(unsigned int ifindex)
{
	struct link_state *l = link_of(ifindex);

	if (l)
		l->gone = true;
}
