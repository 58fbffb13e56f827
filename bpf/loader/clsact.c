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
#include "tc.h"

#define NAME "cargowall"
#define HANDLE 1U
#define PRIORITY 1U
#define PLACES_MAX 1024
#define EGRESS TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)
#define QUEUE 0U /* the interface's own queueing discipline, which a frame meets last */
#define INGRESS TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)

/* A filter as the kernel lists it. */
struct filter {
	uint32_t handle, priority, program;
	bool ours, direct;
};

typedef void (*each_filter)(const struct filter *f, void *arg);

/* A request that changes filters of our priority. */
static struct tc_request filter_request(uint16_t type, uint16_t flags, unsigned int ifindex, uint32_t parent)
{
	struct tc_request r = tc_request(type, flags, ifindex, parent);

	r.t.tcm_info = TC_H_MAKE(PRIORITY << 16, htons(ETH_P_ALL));
	return r;
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

struct visit {
	each_filter each;
	void *arg;
};

static void visit_filter(const struct nlmsghdr *h, void *arg)
{
	const struct visit *v = arg;

	read_filter(h, v->each, v->arg);
}

/* Visits the filters of a hook in the order they see a frame; -errno when they can't be listed. */
static int list(unsigned int ifindex, uint32_t parent, each_filter each, void *arg)
{
	struct visit v = {.each = each, .arg = arg};

	return tc_dump(RTM_GETTFILTER, ifindex, parent, visit_filter, &v);
}

static void count_one(const struct filter *f, void *arg)
{
	(void)f;
	++*(unsigned int *)arg;
}

/* The queueing disciplines of an interface and their classes: each can have filters of its own. */
struct places {
	unsigned int ifindex;
	uint32_t ids[PLACES_MAX];
	unsigned int count;
};

static void take_place(const struct nlmsghdr *h, void *arg)
{
	const struct tcmsg *t = NLMSG_DATA(h);
	struct places *p = arg;

	/* what has no number can't be given any; the hook's is listed by its name */
	if ((unsigned int)t->tcm_ifindex != p->ifindex || !TC_H_MAJ(t->tcm_handle) ||
	    TC_H_MAJ(t->tcm_handle) == TC_H_MAJ(TC_H_CLSACT))
		return;
	if (p->count < PLACES_MAX)
		p->ids[p->count] = t->tcm_handle;
	p->count++;
}

unsigned int clsact_count(unsigned int ifindex)
{
	static struct places places;
	unsigned int filters = 0;

	places.ifindex = ifindex;
	places.count = 0;
	tc_dump(RTM_GETQDISC, ifindex, 0, take_place, &places);
	tc_dump(RTM_GETTCLASS, ifindex, 0, take_place, &places);
	list(ifindex, EGRESS, count_one, &filters);
	list(ifindex, QUEUE, count_one, &filters);
	for (unsigned int i = 0; i < places.count && i < PLACES_MAX; i++)
		list(ifindex, places.ids[i], count_one, &filters);
	/* those that can't be looked at count as if each had one */
	return places.count > PLACES_MAX ? filters + places.count - PLACES_MAX : filters;
}

int clsact_attach(unsigned int ifindex, int program_fd)
{
	struct tc_request qdisc = tc_request(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex, TC_H_CLSACT);
	struct tc_request r = filter_request(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, ifindex, EGRESS);
	uint32_t fd = (uint32_t)program_fd, flags = TCA_BPF_FLAG_ACT_DIRECT;
	struct rtattr *options;
	int err;

	qdisc.t.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	tc_put(&qdisc, TCA_KIND, "clsact", sizeof("clsact"));
	err = tc_change(&qdisc);
	if (err && err != -EEXIST)
		return err;
	r.t.tcm_handle = HANDLE;
	tc_put(&r, TCA_KIND, "bpf", sizeof("bpf"));
	options = tc_put(&r, TCA_OPTIONS, NULL, 0);
	tc_put(&r, TCA_BPF_FD, &fd, sizeof(fd));
	tc_put(&r, TCA_BPF_NAME, NAME, sizeof(NAME));
	tc_put(&r, TCA_BPF_FLAGS, &flags, sizeof(flags));
	options->rta_len = (uint16_t)((char *)&r + r.h.nlmsg_len - (char *)options);
	return tc_change(&r);
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
	struct tc_request all = filter_request(RTM_DELTFILTER, 0, ifindex, EGRESS);

	/* the first priority is ours alone: what else has come to it goes */
	(void)tc_change(&all);
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
		struct tc_request filter = filter_request(RTM_DELTFILTER, 0, i->if_index, EGRESS);
		struct tc_request qdisc = tc_request(RTM_DELQDISC, 0, i->if_index, TC_H_CLSACT);
		unsigned int others = 0;
		bool ours = false;

		if (list(i->if_index, EGRESS, find_ours, &ours) || !ours)
			continue;
		filter.t.tcm_handle = HANDLE;
		tc_put(&filter, TCA_KIND, "bpf", sizeof("bpf"));
		if (tc_change(&filter))
			continue;
		/* the hook goes too, unless somebody else uses it */
		if (!list(i->if_index, EGRESS, count_one, &others) &&
		    !list(i->if_index, INGRESS, count_one, &others) && !others)
			(void)tc_change(&qdisc);
	}
	if (all)
		if_freenameindex(all);
}
