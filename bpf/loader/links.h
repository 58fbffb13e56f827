/* SPDX-License-Identifier: Apache-2.0 */
/* What is attached: by links, which outlive us once they are pinned, or by filters, which do anyway. */
#ifndef CARGOWALL_LINKS_H
#define CARGOWALL_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_PREFIX "link_" /* a pinned link */
#define FILTER_PREFIX "filter_" /* the pinned program of an uplink's clsact filter */

enum link_kind {
	LINK_TRACE, /* nobody can detach it */
	LINK_CGROUP,
	LINK_TCX,
	LINK_LOOPBACK, /* TCX, wherever it stands among others */
	LINK_FILTER, /* clsact: no link at all */
};

/* One attachment and what it was when it was made. */
struct link_state {
	enum link_kind kind;
	int fd; /* -1: a filter */
	int program_fd;
	uint32_t program; /* id */
	uint32_t attach_type;
	unsigned int ifindex; /* 0: not of an uplink */
	bool gone; /* its interface was told to be */
	bool away; /* with its interface, in another network namespace */
	char name[48]; /* its file's in BPF_DIR */
};

/* Takes a link, or with `program_fd` a filter, into the table; the descriptors are the table's then. */
int link_keep(int fd, int program_fd, unsigned int ifindex, const char *name);
struct link_state *links_all(size_t *count);
/* Lets go of every descriptor; what is attached stands. */
void links_forget_all(void);
struct link_state *link_of(unsigned int ifindex);
/* The link of an interface that was away and is here again. */
struct link_state *link_back(unsigned int ifindex);
/* Whether it is attached where it was, with the program it had, and nothing before it. */
bool link_stands(const struct link_state *l);
/* Attaches it again. 0 or -errno. */
int link_mend(struct link_state *l);
/* An interface is gone: its link has ended. */
void link_gone(unsigned int ifindex);
/* Word may have been missed: what is not there is gone. */
void links_missed(void);
/* Forgets uplinks' links that ended with their interfaces, and tells of each. */
void links_forget_gone(void (*forgotten)(unsigned int ifindex));
/* What is attached, as two members of a JSON object: hooks and wall. */
void links_describe(char *out, size_t size);

#endif /* CARGOWALL_LINKS_H */
