/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The self-check: what was installed still stands, or is put right, and nothing foreign has come to its
 * hooks. What was there at green is the machine's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "clsact.h"
#include "findings.h"
#include "heartbeat.h"
#include "links.h"
#include "locals.h"
#include "object.h"
#include "pins.h"
#include "processes.h"
#include "raw.h"
#include "strangers.h"
#include "tally.h"
#include "tcx.h"
#include "uplinks.h"
#include "xdp.h"

#define PROGRAMS_MAX 64
#define HOOKS_MAX 160
#define FINDING_MAX 192

/* Programs of one hook, in their order: of the guarded cgroup, or of an uplink. */
struct hook {
	uint32_t attach_type;
	unsigned int ifindex; /* 0: the cgroup */
	uint32_t programs[PROGRAMS_MAX];
	uint32_t count;
	unsigned int filters; /* classifiers behind TCX, which see what we have passed */
	bool seen;
};

static const uint32_t cgroup_types[] = {
	BPF_CGROUP_INET_EGRESS,	      BPF_CGROUP_INET_SOCK_CREATE, BPF_CGROUP_INET4_CONNECT,
	BPF_CGROUP_INET6_CONNECT,     BPF_CGROUP_UDP4_SENDMSG,	   BPF_CGROUP_UDP6_SENDMSG,
	BPF_CGROUP_UDP4_RECVMSG,      BPF_CGROUP_UDP6_RECVMSG,	   BPF_CGROUP_INET4_GETPEERNAME,
	BPF_CGROUP_INET6_GETPEERNAME,
};

static struct hook hooks[HOOKS_MAX];
static size_t hook_count;

static int query(uint32_t attach_type, uint32_t target, struct hook *h)
{
	union bpf_attr attr = {};

	attr.query.target_fd = target; /* the interface number shares the slot */
	attr.query.attach_type = attach_type;
	attr.query.prog_ids = (uint64_t)(uintptr_t)h->programs;
	attr.query.prog_cnt = PROGRAMS_MAX;
	if (syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)))
		return -errno;
	h->count = attr.query.prog_cnt;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static struct hook *hook_of(uint32_t attach_type, unsigned int ifindex)
{
	for (size_t i = 0; i < hook_count; i++)
		if (hooks[i].attach_type == attach_type && hooks[i].ifindex == ifindex)
			return &hooks[i];
	if (hook_count == HOOKS_MAX)
		return NULL;
	hooks[hook_count].attach_type = attach_type;
	hooks[hook_count].ifindex = ifindex;
	return &hooks[hook_count++];
}

/* Compares a hook with what it was; `name` is what a finding calls it. */
static void check_hook(uint32_t attach_type, uint32_t target, unsigned int ifindex, const char *name)
{
	struct hook *was = hook_of(attach_type, ifindex), now = {};
	char finding[FINDING_MAX];

	if (!was)
		return;
	/* a kernel without TCX has nothing to ask about it */
	if (query(attach_type, target, &now) && !ifindex)
		return;
	now.filters = ifindex ? clsact_count(ifindex) : 0;
	/* their order changes with what is put right; that the wall is first is seen by its link */
	qsort(now.programs, now.count, sizeof(now.programs[0]), by_id);
	if (!was->seen) {
		memcpy(was->programs, now.programs, sizeof(now.programs));
		was->count = now.count;
		was->filters = now.filters;
		was->seen = true;
		return;
	}
	if (now.count != was->count || memcmp(now.programs, was->programs, now.count * sizeof(uint32_t))) {
		snprintf(finding, sizeof(finding), "the programs of %s have changed: %u were there, %u are",
			 name, was->count, now.count);
		check_find(finding);
	}
	if (now.filters > was->filters) {
		snprintf(finding, sizeof(finding), "a packet filter of somebody else stands behind %s", name);
		check_find(finding);
	}
}

static void check_cgroup(const char *cgroup)
{
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[64];

	if (fd < 0) {
		check_find("the guarded cgroup is gone");
		return;
	}
	for (size_t i = 0; i < sizeof(cgroup_types) / sizeof(cgroup_types[0]); i++) {
		snprintf(name, sizeof(name), "the guarded cgroup, hook %u", cgroup_types[i]);
		check_hook(cgroup_types[i], (uint32_t)fd, 0, name);
	}
	close(fd);
}

void check_forget(unsigned int ifindex)
{
	for (size_t i = 0; i < hook_count; i++)
		if (hooks[i].ifindex == ifindex)
			hooks[i--] = hooks[--hook_count];
}

/* What has ended and is there again is told each time; what could not be put right while that lasts. */
static void tell(const char *what, const char *again, int err)
{
	char finding[FINDING_MAX];

	if (!err) {
		snprintf(finding, sizeof(finding), "%s; %s", what, again);
		check_happened(finding);
		return;
	}
	snprintf(finding, sizeof(finding), "%s, and could not be put right: %s", what, strerror(-err));
	check_find(finding);
}

/* The name of a link without the prefix of its file. */
static const char *link_name(const struct link_state *l)
{
	return strchr(l->name, '_') + 1;
}

void check_link(struct link_state *l)
{
	char what[128], name[IF_NAMESIZE];
	int err;

	/* an uplink that is gone has taken its link along; netlink tells its end */
	if (l->gone || (l->ifindex && !if_indextoname(l->ifindex, name)))
		return;
	if (!link_stands(l)) {
		err = link_mend(l);
		if (!err && object_is_pinned())
			err = link_pin(l);
		if (l->ifindex)
			snprintf(what, sizeof(what), "the wall of the uplink %s did not stand any more",
				 name);
		else
			snprintf(what, sizeof(what), "the program %.48s was not attached any more",
				 link_name(l));
		tell(what, l->ifindex ? "it stands again" : "it is attached again", err);
	}
	if (object_is_pinned() && !pin_stands(l->fd < 0 ? l->program_fd : l->fd, l->name)) {
		snprintf(what, sizeof(what), "the pin of the program %.48s was gone", link_name(l));
		tell(what, "it is there again", link_pin(l));
	}
}

static void check_pin_lost(const char *name, int err)
{
	char what[128];

	snprintf(what, sizeof(what), "the pin %.48s was gone", name);
	tell(what, "it is there again", err);
}

void check_all(const char *cgroup)
{
	size_t count;
	struct link_state *links = links_all(&count);

	findings_round();
	for (size_t i = 0; i < count; i++)
		check_link(&links[i]);
	if (object_is_pinned())
		object_check_pins(check_pin_lost);
	check_cgroup(cgroup);
	check_raw_sockets();
	tally_check();
	locals_check();
	uplinks_check();
	heartbeat_check();
	processes_check();
	strangers_check();
	xdp_check();
	for (size_t i = 0; i < count; i++) {
		char name[IF_NAMESIZE], hook[64];

		if (!links[i].ifindex || links[i].gone || !if_indextoname(links[i].ifindex, name))
			continue;
		snprintf(hook, sizeof(hook), "the uplink %s", name);
		check_hook(TCX_EGRESS, links[i].ifindex, links[i].ifindex, hook);
	}
}
