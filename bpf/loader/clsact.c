/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wall where TCX is missing: our program as a direct-action filter on the clsact hook, the first of
 * its interface. No descriptor holds it, so it outlives us and is known by its name.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clsact.h"

#define NAME "cargowall"
#define HANDLE 1U
#define PRIORITY 1U
#define EGRESS TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)
#define QUEUE 0U /* the interface's own queueing discipline, which a frame meets last */
#define INGRESS TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)

struct request {
	struct nlmsghdr h;
	struct tcmsg t;
	char attributes[192];
};

/* A filter as the kernel lists it. */
struct filter {
	uint32_t handle, priority, program;
	bool ours, direct;
};

typedef void (*each_filter)(const struct filter *f, void *arg);

static struct request request_of(uint16_t type, uint16_t flags, unsigned int ifindex, uint32_t parent)
{
	struct request r = {
		.h = {NLMSG_LENGTH(sizeof(struct tcmsg)), type, (uint16_t)(NLM_F_REQUEST | flags), 1, 0},
		.t = {.tcm_ifindex = (int)ifindex, .tcm_parent = parent}};

	if (type == RTM_NEWTFILTER || type == RTM_DELTFILTER)
		r.t.tcm_info = TC_H_MAKE(PRIORITY << 16, htons(ETH_P_ALL));
	return r;
}

static struct rtattr *put(struct request *r, uint16_t type, const void *value, size_t size)
{
	struct rtattr *a = (void *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(a), value, size);
	r->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->h.nlmsg_len) + RTA_ALIGN(a->rta_len));
	return a;
}

/* Sends a request that changes something: 0 or the kernel's -errno. */
static int change(struct request *r)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[512];
	} reply;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), err;
	ssize_t n = -1;

	r->h.nlmsg_flags |= NLM_F_ACK;
	if (fd >= 0 && send(fd, r, r->h.nlmsg_len, 0) >= 0)
		n = recv(fd, &reply, sizeof(reply), 0);
	err = n < 0 ? -errno : -EPROTO;
	if (n >= (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) && reply.h.nlmsg_type == NLMSG_ERROR)
		err = reply.e.error;
	if (fd >= 0)
		close(fd);
	return err;
}

static void read_options(const struct rtattr *options, struct filter *f)
{
	int left = (int)RTA_PAYLOAD(options);

	for (const struct rtattr *a = RTA_DATA(options); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		uint32_t value = 0;

		if (a->rta_type == TCA_BPF_NAME)
			f->ours = RTA_PAYLOAD(a) == sizeof(NAME) && !memcmp(RTA_DATA(a), NAME, sizeof(NAME));
		if (RTA_PAYLOAD(a) != sizeof(value))
			continue;
		memcpy(&value, RTA_DATA(a), sizeof(value));
		if (a->rta_type == TCA_BPF_ID)
			f->program = value;
		else if (a->rta_type == TCA_BPF_FLAGS)
			f->direct = value & TCA_BPF_FLAG_ACT_DIRECT;
	}
}

/* One message of a dump; a classifier's head (no handle) and other chains are no filters here. */
static void read_filter(const struct nlmsghdr *h, each_filter each, void *arg)
{
	const struct tcmsg *t = NLMSG_DATA(h);
	struct filter f = {.handle = t->tcm_handle, .priority = TC_H_MAJ(t->tcm_info) >> 16};
	const struct rtattr *options = NULL;
	int left = (int)TCA_PAYLOAD(h);
	uint32_t chain = 0;
	bool is_bpf = false;

	for (const struct rtattr *a = TCA_RTA(t); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == TCA_KIND)
			is_bpf = !strcmp(RTA_DATA(a), "bpf");
		else if (a->rta_type == TCA_CHAIN)
			memcpy(&chain, RTA_DATA(a), sizeof(chain));
		else if (a->rta_type == TCA_OPTIONS)
			options = a;
	}
	if (!f.handle || chain)
		return;
	if (is_bpf && options)
		read_options(options, &f);
	each(&f, arg);
}

/* Visits the filters of a hook in the order they see a frame; -errno when they can't be listed. */
static int list(unsigned int ifindex, uint32_t parent, each_filter each, void *arg)
{
	struct request r = request_of(RTM_GETTFILTER, NLM_F_DUMP, ifindex, parent);
	static char reply[32768];
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), err = 0;
	bool done = false;

	if (fd < 0 || send(fd, &r, r.h.nlmsg_len, 0) < 0)
		err = -errno;
	while (!done && !err) {
		int left = (int)recv(fd, reply, sizeof(reply), 0);

		if (left <= 0)
			err = left ? -errno : -EPROTO;
		for (struct nlmsghdr *h = (void *)reply; !done && NLMSG_OK(h, (unsigned int)left);
		     h = NLMSG_NEXT(h, left)) {
			done = h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR;
			if (!done)
				read_filter(h, each, arg);
		}
	}
	if (fd >= 0)
		close(fd);
	return err;
}

static void count_one(const struct filter *f, void *arg)
{
	(void)f;
	++*(unsigned int *)arg;
}

unsigned int clsact_count(unsigned int ifindex)
{
	unsigned int filters = 0;

	list(ifindex, EGRESS, count_one, &filters);
	list(ifindex, QUEUE, count_one, &filters);
	return filters;
}

int clsact_attach(unsigned int ifindex, int program_fd)
{
	struct request qdisc = request_of(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex, TC_H_CLSACT);
	struct request r = request_of(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, ifindex, EGRESS);
	uint32_t fd = (uint32_t)program_fd, flags = TCA_BPF_FLAG_ACT_DIRECT;
	struct rtattr *options;
	int err;

	qdisc.t.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	put(&qdisc, TCA_KIND, "clsact", sizeof("clsact"));
	err = change(&qdisc);
	if (err && err != -EEXIST)
		return err;
	r.t.tcm_handle = HANDLE;
	put(&r, TCA_KIND, "bpf", sizeof("bpf"));
	options = put(&r, TCA_OPTIONS, NULL, 0);
	put(&r, TCA_BPF_FD, &fd, sizeof(fd));
	put(&r, TCA_BPF_NAME, NAME, sizeof(NAME));
	put(&r, TCA_BPF_FLAGS, &flags, sizeof(flags));
	options->rta_len = (uint16_t)((char *)&r + r.h.nlmsg_len - (char *)options);
	return change(&r);
}

/* The first filter of a hook, and whether there is one. */
struct first {
	struct filter filter;
	bool seen;
};

static void take_first(const struct filter *f, void *arg)
{
	struct first *first = arg;

	if (!first->seen)
		first->filter = *f;
	first->seen = true;
}

bool clsact_stands(unsigned int ifindex, uint32_t program)
{
	struct first first = {};

	return !list(ifindex, EGRESS, take_first, &first) && first.seen && first.filter.ours &&
	       first.filter.direct && first.filter.program == program && first.filter.handle == HANDLE &&
	       first.filter.priority == PRIORITY;
}

int clsact_mend(unsigned int ifindex, int program_fd)
{
	struct request all = request_of(RTM_DELTFILTER, 0, ifindex, EGRESS);

	/* the first priority is ours alone: what else has come to it goes */
	(void)change(&all);
	return clsact_attach(ifindex, program_fd);
}

static void find_ours(const struct filter *f, void *arg)
{
	if (f->ours && f->handle == HANDLE && f->priority == PRIORITY)
		*(bool *)arg = true;
}

void clsact_clear(void)
{
	struct if_nameindex *all = if_nameindex();

	for (struct if_nameindex *i = all; i && i->if_index; i++) {
		struct request filter = request_of(RTM_DELTFILTER, 0, i->if_index, EGRESS);
		struct request qdisc = request_of(RTM_DELQDISC, 0, i->if_index, TC_H_CLSACT);
		unsigned int others = 0;
		bool ours = false;

		if (list(i->if_index, EGRESS, find_ours, &ours) || !ours)
			continue;
		filter.t.tcm_handle = HANDLE;
		put(&filter, TCA_KIND, "bpf", sizeof("bpf"));
		if (change(&filter))
			continue;
		/* the hook goes too, unless somebody else uses it */
		if (!list(i->if_index, EGRESS, count_one, &others) &&
		    !list(i->if_index, INGRESS, count_one, &others) && !others)
			(void)change(&qdisc);
	}
	if (all)
		if_freenameindex(all);
}
