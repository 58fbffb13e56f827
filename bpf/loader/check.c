/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The self-check: what was installed still stands, and nothing foreign has come to its hooks. What
 * was there at green is the machine's own. Each finding is told once.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "loader.h"

#define PROGRAMS_MAX 64
#define HOOKS_MAX 160
#define FINDINGS_MAX 64
#define FINDING_MAX 160

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
static char told[FINDINGS_MAX][FINDING_MAX];
static size_t told_count;
static check_report report;

void check_find(const char *finding)
{
	for (size_t i = 0; i < told_count; i++)
		if (!strncmp(told[i], finding, FINDING_MAX - 1))
			return;
	if (told_count == FINDINGS_MAX)
		return; /* the last one told says that there are more */
	if (told_count == FINDINGS_MAX - 1)
		finding = "more is wrong than can be told apart: what comes from now on is not told";
	snprintf(told[told_count++], FINDING_MAX, "%s", finding);
	report(finding);
}

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

/* Classifiers on the way out of an interface (tc filter show dev X egress). */
static unsigned int egress_filters(unsigned int ifindex)
{
	struct {
		struct nlmsghdr h;
		struct tcmsg t;
	} q = {.h = {sizeof(q), RTM_GETTFILTER, NLM_F_REQUEST | NLM_F_DUMP, 1, 0},
	       .t = {.tcm_ifindex = (int)ifindex, .tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)}};
	static char reply[32768];
	unsigned int filters = 0;
	bool done = false;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || send(fd, &q, sizeof(q), 0) < 0)
		done = true;
	while (!done) {
		ssize_t n = recv(fd, reply, sizeof(reply), 0);
		int left = (int)n;

		if (n <= 0)
			break;
		for (struct nlmsghdr *h = (void *)reply; NLMSG_OK(h, (unsigned int)left);
		     h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				done = true;
			else
				filters++;
		}
	}
	if (fd >= 0)
		close(fd);
	return filters;
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

	if (!was || query(attach_type, target, &now))
		return;
	now.filters = ifindex ? egress_filters(ifindex) : 0;
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

/* A link as the kernel has it now; an uplink that is gone has taken its link along. */
static void check_link(const struct link_state *l, bool pinned)
{
	char finding[FINDING_MAX], name[IF_NAMESIZE], path[128];
	struct bpf_link_info info = {};
	union bpf_attr attr = {};

	if (l->ifindex && !if_indextoname(l->ifindex, name))
		return;
	attr.info.bpf_fd = (uint32_t)l->fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uint64_t)(uintptr_t)&info;
	if (syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) || info.prog_id != l->program ||
	    (l->ifindex && info.xdp.ifindex != l->ifindex) ||
	    (info.type == BPF_LINK_TYPE_CGROUP && !info.cgroup.cgroup_id)) {
		snprintf(finding, sizeof(finding), "the program %.48s is not attached any more", l->name);
		check_find(finding);
	}
	snprintf(path, sizeof(path), BPF_DIR "/link_%.48s", l->name);
	if (pinned && access(path, F_OK)) {
		snprintf(finding, sizeof(finding), "the pin of the program %.48s is gone", l->name);
		check_find(finding);
	}
}

void check_links(check_report to)
{
	size_t count;
	bool pinned;
	const struct link_state *links = object_links(&count, &pinned);

	report = to;
	for (size_t i = 0; i < count; i++) {
		char name[IF_NAMESIZE], hook[64];

		check_link(&links[i], pinned);
		if (!links[i].ifindex || !if_indextoname(links[i].ifindex, name))
			continue;
		snprintf(hook, sizeof(hook), "the uplink %s", name);
		check_hook(TCX_EGRESS, links[i].ifindex, links[i].ifindex, hook);
	}
}

void check_all(const struct session *s, check_report to)
{
	report = to;
	check_cgroup(s->options.cgroup);
	check_raw_sockets();
	check_links(to);
}
