/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's network namespace and those of guarded processes. Only processes below the guarded
 * cgroup count: what else runs here is none of ours.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "netns.h"
#include "proc.h"

#define NETNS_MAX 256

struct netns {
	uint64_t inode;
	int fd;
};

static struct netns spaces[NETNS_MAX];
static size_t count;

static void remember(const char *path)
{
	uint64_t inode = namespace_of(path);

	if (!inode || count == NETNS_MAX)
		return;
	for (size_t i = 0; i < count; i++)
		if (spaces[i].inode == inode)
			return;
	spaces[count].inode = inode;
	spaces[count].fd = open(path, O_RDONLY | O_CLOEXEC);
	if (spaces[count].fd >= 0)
		count++;
}

int netns_each(void (*visit)(uint64_t inode, bool other, void *arg), void *arg)
{
	struct dirent *process;
	char path[300];
	DIR *proc;
	int err = 0;

	count = 0;
	remember("/proc/self/ns/net");
	if (!count)
		return -errno;
	proc = opendir("/proc");
	while (proc && (process = readdir(proc))) {
		if (!isdigit((unsigned char)process->d_name[0]) || !process_is_guarded(atoi(process->d_name)))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/net", process->d_name);
		remember(path);
	}
	if (proc)
		closedir(proc);
	for (size_t i = 0; i < count; i++)
		if (!setns(spaces[i].fd, CLONE_NEWNET))
			visit(spaces[i].inode, i > 0, arg);
	if (setns(spaces[0].fd, CLONE_NEWNET))
		err = -errno;
	for (size_t i = 0; i < count; i++)
		close(spaces[i].fd);
	return err;
}
