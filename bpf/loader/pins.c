/* SPDX-License-Identifier: Apache-2.0 */
/* The files in BPF_DIR by which what is loaded outlives us: whether each is what it was, and its making. */
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "links.h"
#include "paths.h"
#include "pins.h"

/* The id of a program, a map or a link: all three have it in the same place. */
static uint32_t object_id(int fd, uint32_t *type)
{
	struct bpf_link_info info = {};
	unsigned int size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return 0;
	*type = info.type;
	return info.id;
}

bool pin_stands(int fd, const char *name)
{
	uint32_t type = 0, other = 0, id = object_id(fd, &type);
	char path[128];
	bool same;
	int there;

	snprintf(path, sizeof(path), BPF_DIR "/%s", name);
	there = bpf_obj_get(path);
	if (there < 0)
		return false;
	same = id && object_id(there, &other) == id && other == type;
	close(there);
	return same;
}

int pin_make(int fd, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), BPF_DIR "/%s", name);
	unlink(path); /* of an interface that had this number before, or somebody else's */
	return bpf_obj_pin(fd, path) ? -errno : 0;
}

int link_pin(const struct link_state *l)
{
	return pin_make(l->fd < 0 ? l->program_fd : l->fd, l->name);
}
