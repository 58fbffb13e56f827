/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wall of an uplink: the TC program as a TCX link, or, where the kernel has none (before 6.6), as a
 * clsact filter. Which of them is probed, never concluded from a version.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

#include "check.h"
#include "clsact.h"
#include "findings.h"
#include "links.h"
#include "object.h"
#include "pins.h"
#include "tcx.h"
#include "wall.h"

static bool is_coming_back;

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

	links_forget_gone(check_forget);
	l = link_of(ifindex);
	if (!l)
		l = link_back(ifindex);
	if (l) {
		check_link(l);
		return 0;
	}
	err = attach(ifindex);
	if (!err && is_coming_back)
		tell_missing(ifindex);
	l = link_of(ifindex);
	return !err && object_is_pinned() ? link_pin(l) : err;
}

void wall_comes_back(bool is_looking)
{
	is_coming_back = is_looking;
}
