/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packet and XDP sockets of the machine's network namespace (packet(7), xdp_diag), whose frames can pass
 * every hook, and vsock sockets (vsock_diag), which need no network: one of the job's or a container's
 * is told. What was there before, the runner's and services' are the machine's own.
 */
#include <ctype.h>
#include <dirent.h>
#include <linux/netlink.h>
#include <linux/packet_diag.h>
#include <linux/sock_diag.h>
#include <linux/vm_sockets_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "families.h"
#include "findings.h"
#include "maps.h"
#include "proc.h"
#include "raw.h"

#define FAMILY_XDP 44
#define KNOWN_MAX 1024

static uint32_t known[KNOWN_MAX];
static size_t known_count, known_next;

/* True the first time an inode is seen. */
static bool is_new(uint32_t inode)
{
	for (size_t i = 0; i < known_count; i++)
		if (known[i] == inode)
			return false;
	known[known_next] = inode; /* in the place of the oldest, once all are taken */
	known_next = (known_next + 1) % KNOWN_MAX;
	if (known_count < KNOWN_MAX)
		known_count++;
	return true;
}

struct search {
	unsigned long inode;
	bool found;
};

static bool is_searched(int pid, unsigned long inode, void *arg)
{
	struct search *s = arg;

	(void)pid;
	s->found = inode == s->inode;
	return !s->found;
}

static bool holds(int pid, uint32_t inode)
{
	struct search s = {.inode = inode};

	process_sockets(pid, is_searched, &s);
	return s.found;
}

/* As owner_fill() in bpf/owner.bpf.h: the job's, or a container's. */
static bool is_of_job(int pid)
{
	struct process_key k = {.tgid = (uint32_t)pid};
	struct process_value v;
	struct config c;
	uint32_t zero = 0;

	if (!process_is_guarded(pid))
		return false;
	if (bpf_map_lookup_elem(map_fds[M_PROCESSES], &k, &v))
		return process_is_contained(pid);
	if (v.scope != SCOPE_RUNNER)
		return v.origin == ORIGIN_JOB;
	/* what is inherited ends with the worker's cgroup */
	return v.flags & PROCESS_INHERITED && !bpf_map_lookup_elem(map_fds[M_CONFIG], &zero, &c) &&
	       c.worker_cgroup != process_cgroup(pid);
}

void raw_opened(int pid, int family)
{
	char finding[160];

	if (family == AF_VSOCK)
		snprintf(finding, sizeof(finding),
			 "process %d has opened a vsock socket: it can reach the hypervisor (limit L2)", pid);
	else
		snprintf(finding, sizeof(finding),
			 "process %d has opened %s socket: its frames can pass the wall (limit L1)", pid,
			 family == FAMILY_XDP ? "an XDP" : "a packet");
	check_find(finding);
}

static void tell(uint32_t inode, int family)
{
	struct dirent *process;
	DIR *proc = opendir("/proc");

	while (proc && (process = readdir(proc))) {
		int pid = atoi(process->d_name);

		if (!isdigit((unsigned char)process->d_name[0]) || pid == getpid() || !is_of_job(pid) ||
		    !holds(pid, inode))
			continue;
		raw_opened(pid, family);
	}
	if (proc)
		closedir(proc);
}

/* Packet sockets as /proc/net/packet lists them; the inode is the last column. */
static void look_at_packets(bool is_first)
{
	FILE *f = fopen("/proc/self/net/packet", "re");
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		uint32_t inode;

		if (sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %*s %u", &inode) == 1 && is_new(inode) &&
		    !is_first)
			tell(inode, AF_PACKET);
	}
	if (f)
		fclose(f);
}

/* How many XDP sockets there are, which every kernel that has them counts. */
static unsigned long xdp_sockets(void)
{
	FILE *f = fopen("/proc/self/net/protocols", "re");
	unsigned long count = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "XDP %*u %lu", &count) == 1)
			break;
	if (f)
		fclose(f);
	return count;
}

/* The inode of a descriptor of a process when that is an XDP socket, else 0. */
static uint32_t xdp_inode(int process, int number)
{
	int fd = (int)syscall(SYS_pidfd_getfd, process, number, 0), domain = 0;
	socklen_t size = sizeof(domain);
	struct stat s = {};

	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) || domain != FAMILY_XDP || fstat(fd, &s))
		s.st_ino = 0;
	close(fd);
	return (uint32_t)s.st_ino;
}

static void look_at_descriptors(const char *pid, bool is_first)
{
	int process = (int)syscall(SYS_pidfd_open, atoi(pid), 0);
	struct dirent *entry;
	char path[300];
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	fds = process < 0 ? NULL : opendir(path);
	while (fds && (entry = readdir(fds))) {
		uint32_t inode = isdigit((unsigned char)entry->d_name[0])
					 ? xdp_inode(process, atoi(entry->d_name))
					 : 0;

		if (inode && is_new(inode) && !is_first)
			tell(inode, FAMILY_XDP);
	}
	if (fds)
		closedir(fds);
	if (process >= 0)
		close(process);
}

/* On a kernel that lists no XDP sockets: who holds those it counts. */
static void look_for_xdp(bool is_first)
{
	struct dirent *process;
	DIR *proc = xdp_sockets() ? opendir("/proc") : NULL;

	while (proc && (process = readdir(proc)))
		if (isdigit((unsigned char)process->d_name[0]) && atoi(process->d_name) != getpid())
			look_at_descriptors(process->d_name, is_first);
	if (proc)
		closedir(proc);
}

/* The inode of a socket as sock_diag describes it. */
static uint32_t inode_of(const struct nlmsghdr *h, int family)
{
	const struct vsock_diag_msg *vsock = NLMSG_DATA(h);
	const struct packet_diag_msg *other = NLMSG_DATA(h); /* xdp_diag_msg has its inode there too */

	return family == AF_VSOCK ? vsock->vdiag_ino : other->pdiag_ino;
}

/* A batch of sock_diag's answer; true: it was the last. */
static bool look_at_batch(struct nlmsghdr *h, int left, int family, bool is_first, bool *listed)
{
	for (; NLMSG_OK(h, (unsigned int)left); h = NLMSG_NEXT(h, left)) {
		uint32_t inode;

		*listed |= h->nlmsg_type != NLMSG_ERROR;
		if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
			return true;
		inode = inode_of(h, family);
		if (is_new(inode) && !is_first)
			tell(inode, family);
	}
	return false;
}

/* Sockets of a family as sock_diag lists them; false where the kernel has no such list. */
static bool look_at_family(int family, bool is_first)
{
	struct {
		struct nlmsghdr h;
		union {
			struct packet_diag_req packet; /* xdp_diag_req has the same layout */
			struct vsock_diag_req vsock;
		} r;
	} q = {.h = {sizeof(q), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}};
	static char reply[32768];
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	bool listed = false, done;

	if (family == AF_VSOCK)
		q.r.vsock = (struct vsock_diag_req){.sdiag_family = AF_VSOCK, .vdiag_states = ~0U};
	else
		q.r.packet.sdiag_family = (uint8_t)family;
	done = fd < 0 || send(fd, &q, sizeof(q), 0) < 0;
	while (!done) {
		int left = (int)recv(fd, reply, sizeof(reply), 0);

		done = left <= 0 || look_at_batch((void *)reply, left, family, is_first, &listed);
	}
	if (fd >= 0)
		close(fd);
	return listed;
}

void check_raw_sockets(void)
{
	static bool looked;

	look_at_packets(!looked);
	if (!look_at_family(FAMILY_XDP, !looked))
		look_for_xdp(!looked);
	if (families_are_told())
		look_at_family(AF_VSOCK, !looked);
	looked = true;
}
