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
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader.h"

#define NETNS_MAX 256

struct netns {
	uint64_t inode;
	int fd;
};

static struct netns spaces[NETNS_MAX];
static size_t count;

uint64_t netns_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint64_t)st.st_ino;
}

uint64_t process_cgroup(int pid)
{
	char path[64], line[1024], full[5200];
	uint64_t id = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	f = fopen(path, "re");
	while (f && !id && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "0::", 3))
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(full, sizeof(full), "%s%s", cgroup_mount(), line + 3);
		id = cgroup_id(full);
	}
	if (f)
		fclose(f);
	return id;
}

bool process_is_guarded(int pid)
{
	static char guarded[4096];
	char path[64], line[4200];
	bool found = false;
	size_t n;
	FILE *f;

	if (!guarded[0])
		snprintf(guarded, sizeof(guarded), "%s", serve_session()->options.cgroup);
	n = strlen(cgroup_mount());
	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		const char *below = strlen(guarded) > n ? guarded + n : "";
		size_t size = strlen(below);

		if (strncmp(line, "0::", 3))
			continue;
		line[strcspn(line, "\n")] = 0;
		found = !strncmp(line + 3, below, size) &&
			(!size || !line[3 + size] || line[3 + size] == '/');
	}
	fclose(f);
	return found;
}

static void remember(const char *path)
{
	uint64_t inode = netns_of(path);

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
