/* SPDX-License-Identifier: Apache-2.0 */
/* The table of what is attached: whether each still stands, and how it is put right. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "clsact.h"
#include "families.h"
#include "links.h"
#include "paths.h"
#include "proc.h"
#include "say.h"
#include "tcx.h"

#define LINKS_MAX 96

static struct link_state links[LINKS_MAX];
static size_t link_count;

static int link_info(int fd, struct bpf_link_info *info)
{
	unsigned int size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(fd, info, &size) ? -errno : 0;
}

static int program_id(int fd, uint32_t *id)
{
	struct bpf_prog_info info = {};
	unsigned int size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	*id = info.id;
	return 0;
}

int link_keep(int fd, int program_fd, unsigned int ifindex, const char *name)
{
	struct link_state l = {.fd = fd, .program_fd = program_fd, .ifindex = ifindex};
	struct bpf_link_info info;
	int err;

	if (link_count == LINKS_MAX)
		return -ENOSPC;
	if (fd < 0) {
		l.kind = LINK_FILTER;
		err = program_id(program_fd, &l.program);
	} else {
		err = link_info(fd, &info);
		if (!err && info.type == BPF_LINK_TYPE_CGROUP) {
			l.kind = LINK_CGROUP;
			l.attach_type = info.cgroup.attach_type;
		} else if (!err && info.type == LINK_TYPE_TCX) {
			l.kind = ifindex ? LINK_TCX : LINK_LOOPBACK;
		}
		l.program = info.prog_id;
		/* held: a program that is replaced in its link must not end with that */
		l.program_fd = err ? -1 : bpf_prog_get_fd_by_id(l.program);
		if (!err && l.program_fd < 0)
			err = -errno;
	}
	if (err)
		return err;
	snprintf(l.name, sizeof(l.name), "%s", name);
	links[link_count++] = l;
	return 0;
}

struct link_state *links_all(size_t *count)
{
	*count = link_count;
	return links;
}

void links_forget_all(void)
{
	while (link_count) {
		link_count--;
		if (links[link_count].fd >= 0)
			close(links[link_count].fd);
		close(links[link_count].program_fd);
	}
}

struct link_state *link_of(unsigned int ifindex)
{
	for (size_t i = 0; i < link_count; i++)
		if (links[i].ifindex == ifindex && !links[i].away)
			return &links[i];
	return NULL;
}

/* Whether a link holds on to its hook, whatever program is in it. */
static bool is_attached(const struct link_state *l, const struct bpf_link_info *info)
{
	/* a TCX link's interface number has the place of an XDP link's */
	switch (l->kind) {
	case LINK_CGROUP:
		return info->cgroup.cgroup_id != 0;
	case LINK_TCX:
		return info->xdp.ifindex == l->ifindex;
	case LINK_LOOPBACK:
		return info->xdp.ifindex != 0;
	default:
		return true;
	}
}

bool link_stands(const struct link_state *l)
{
	struct bpf_link_info info;

	if (l->kind == LINK_FILTER)
		return clsact_stands(l->ifindex, l->program);
	if (link_info(l->fd, &info) || info.prog_id != l->program || !is_attached(l, &info))
		return false;
	return l->kind != LINK_TCX || tcx_first(l->ifindex) == l->program;
}

static int cgroup_attach(const struct link_state *l)
{
	int cgroup = open(guarded_cgroup(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = -1, err;

	if (cgroup >= 0)
		fd = bpf_link_create(l->program_fd, cgroup, (enum bpf_attach_type)l->attach_type, NULL);
	err = fd < 0 ? -errno : fd;
	if (cgroup >= 0)
		close(cgroup);
	return err;
}

/* Puts our program back into a link that is attached with another. */
static bool restore_program(const struct link_state *l)
{
	struct bpf_link_info info;

	return !link_info(l->fd, &info) && is_attached(l, &info) && info.prog_id != l->program &&
	       !bpf_link_update(l->fd, l->program_fd, NULL) && link_stands(l);
}

int link_mend(struct link_state *l)
{
	union bpf_attr attr = {};
	int fd;

	if (l->kind == LINK_FILTER)
		return clsact_mend(l->ifindex, l->program_fd);
	if (restore_program(l))
		return 0;
	if (l->kind == LINK_TRACE)
		return -EOPNOTSUPP;
	if (l->kind == LINK_CGROUP) {
		fd = cgroup_attach(l);
	} else {
		/* a hook takes a program once: the old place is left before the first is taken */
		attr.link_detach.link_fd = (uint32_t)l->fd;
		(void)syscall(SYS_bpf, BPF_LINK_DETACH, &attr, sizeof(attr));
		fd = l->kind == LINK_TCX ? tcx_attach(l->ifindex, l->program_fd)
					 : tcx_attach_loopback(l->program_fd);
	}
	if (fd < 0)
		return fd;
	close(l->fd);
	l->fd = fd;
	return link_stands(l) ? 0 : -EBUSY;
}

void link_gone(unsigned int ifindex)
{
	struct link_state *l = link_of(ifindex);

	if (l)
		l->gone = true;
}

void links_missed(void)
{
	char name[IF_NAMESIZE];

	for (size_t i = 0; i < link_count; i++)
		if (links[i].ifindex && !if_indextoname(links[i].ifindex, name))
			links[i].gone = true;
}

/* The number of a TCX link's interface, which may be another network namespace's now; 0: it has ended. */
static unsigned int interface_held(const struct link_state *l)
{
	struct bpf_link_info info;

	return l->kind != LINK_TCX || link_info(l->fd, &info) ? 0 : info.xdp.ifindex;
}

struct link_state *link_back(unsigned int ifindex)
{
	for (size_t i = 0; i < link_count; i++) {
		struct link_state *l = &links[i];

		if (!l->away || interface_held(l) != ifindex || tcx_first(ifindex) != l->program)
			continue;
		l->ifindex = ifindex;
		l->away = l->gone = false;
		return l;
	}
	return NULL;
}

void links_forget_gone(void (*forgotten)(unsigned int ifindex))
{
	size_t kept = 0;

	for (size_t i = 0; i < link_count; i++) {
		char path[128];

		if (links[i].gone && !links[i].away && interface_held(&links[i]) && !link_stands(&links[i]))
			links[i].away = true;
		if (!links[i].gone || interface_held(&links[i]) || link_stands(&links[i])) {
			links[kept++] = links[i];
			continue;
		}
		snprintf(path, sizeof(path), BPF_DIR "/%s", links[i].name);
		unlink(path);
		if (links[i].fd >= 0)
			close(links[i].fd);
		close(links[i].program_fd);
		forgotten(links[i].ifindex);
	}
	link_count = kept;
}

void links_describe(char *out, size_t size)
{
	unsigned int cgroup = 0, trace = 0;
	const char *between = "";
	size_t n;

	for (size_t i = 0; i < link_count; i++) {
		cgroup += links[i].kind == LINK_CGROUP;
		trace += links[i].kind == LINK_TRACE &&
			 !families_are_of(links[i].name + sizeof(LINK_PREFIX) - 1);
	}
	n = (size_t)snprintf(out, size,
			     "\"hooks\":\"%u of the cgroup, %u tracepoints\",\"families\":\"%s\",\"wall\":\"",
			     cgroup, trace, families_are_told() ? "told" : "refused");
	for (size_t i = 0; i < link_count && n + 2 * IF_NAMESIZE + 32 < size; i++) {
		char name[IF_NAMESIZE], text[2 * IF_NAMESIZE + 4];

		if (!links[i].ifindex || !if_indextoname(links[i].ifindex, name))
			continue;
		json_escape(text, sizeof(text), name);
		n += (size_t)snprintf(out + n, size - n, "%s%s by %s", between, text,
				      links[i].kind == LINK_TCX ? "TCX" : "clsact");
		between = ", ";
	}
	snprintf(out + n, size - n, "\"");
}
