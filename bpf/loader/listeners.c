/* SPDX-License-Identifier: Apache-2.0 */
/* Listening TCP sockets with their cookies (sock_diag(7)), and who holds them (/proc). */
#include <ctype.h>
#include <dirent.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "config.h"
#include "listeners.h"
#include "maps.h"
#include "proc.h"

#define LISTENERS_MAX 1024 /* as the map */

struct listener {
	uint64_t cookie;
	unsigned long inode;
	uid_t uid; /* of who made it */
	bool held; /* by a service */
	bool spoilt; /* by anybody else too */
};

static struct listener list[LISTENERS_MAX];
static size_t count;

static void add(const struct inet_diag_msg *m)
{
	struct listener *l = &list[count];

	if (count == LISTENERS_MAX || m->idiag_state != TCP_LISTEN)
		return;
	memset(l, 0, sizeof(*l));
	l->cookie = (uint64_t)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0];
	l->inode = m->idiag_inode;
	l->uid = m->idiag_uid;
	count++;
}

/* One answer to a dump; false: there is no more. */
static bool read_answer(int fd)
{
	static union {
		struct nlmsghdr h;
		char b[32768];
	} answer;
	ssize_t n = recv(fd, &answer, sizeof(answer), 0);
	struct nlmsghdr *h = &answer.h;

	for (; n > 0 && NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
			return false;
		if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
			add(NLMSG_DATA(h));
	}
	return n > 0;
}

static void read_family(unsigned char family)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 r;
	} q = {0};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	q.h.nlmsg_len = sizeof(q);
	q.h.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	q.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	q.r.sdiag_family = family;
	q.r.sdiag_protocol = IPPROTO_TCP;
	q.r.idiag_states = 1U << TCP_LISTEN;
	if (fd >= 0 && send(fd, &q, sizeof(q), 0) == sizeof(q))
		while (read_answer(fd))
			;
	if (fd >= 0)
		close(fd);
}

/* Whether a process has a uid in any of its four roles; also: nobody can say. */
static bool process_has_uid(int pid, uid_t uid)
{
	char path[64], line[256];
	bool has = true;
	uid_t u[4];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Uid: %u %u %u %u", &u[0], &u[1], &u[2], &u[3]) == 4)
			has = u[0] == uid || u[1] == uid || u[2] == uid || u[3] == uid;
	if (f)
		fclose(f);
	return has;
}

/* Whether a process is a service of the machine: nobody of the job has a say in it. */
static bool is_service(int pid, uid_t job)
{
	uint64_t cgroup = process_cgroup(pid);

	return cgroup && cgroup != config_now()->loader_cgroup && !process_is_guarded(pid) &&
	       !process_is_contained(pid) && (!job || !process_has_uid(pid, job));
}

static bool claim(int pid, unsigned long inode, void *arg)
{
	const uid_t *job = arg;

	for (size_t i = 0; i < count; i++) {
		struct listener *l = &list[i];

		if (l->inode != inode)
			continue;
		if (is_service(pid, *job) && (!*job || l->uid != *job))
			l->held = true;
		else
			l->spoilt = true;
	}
	return true;
}

static void find_holders(uid_t job)
{
	struct dirent *process;
	DIR *proc = opendir("/proc");

	while (proc && (process = readdir(proc)))
		if (isdigit((unsigned char)process->d_name[0]))
			process_sockets(atoi(process->d_name), claim, &job);
	if (proc)
		closedir(proc);
}

void listeners_capture(const struct session *s)
{
	uint32_t one = 1;

	count = 0;
	read_family(AF_INET);
	read_family(AF_INET6);
	find_holders(s->options.uid);
	for (size_t i = 0; i < count; i++)
		if (list[i].held && !list[i].spoilt)
			bpf_map_update_elem(map_fds[M_LISTENERS], &list[i].cookie, &one, BPF_ANY);
}
