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

uint64_t namespace_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint64_t)st.st_ino;
}

/* A process's cgroup as a path below the mount, empty when it is gone. */
static void cgroup_of(int pid, char *below, size_t size)
{
	char path[64], line[4200];
	FILE *f;

	below[0] = 0;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	f = fopen(path, "re");
	while (f && !below[0] && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "0::", 3))
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(below, size, "%s", line + 3);
	}
	if (f)
		fclose(f);
}

uint64_t process_cgroup(int pid)
{
	char below[4200], full[8400];

	cgroup_of(pid, below, sizeof(below));
	snprintf(full, sizeof(full), "%s%s", cgroup_mount(), below);
	return below[0] ? cgroup_id(full) : 0;
}

bool process_is_guarded(int pid)
{
	const char *guarded = serve_session()->options.cgroup;
	size_t mount = strlen(cgroup_mount()), size;
	char below[4200];

	guarded = strlen(guarded) > mount ? guarded + mount : "";
	size = strlen(guarded);
	while (size && guarded[size - 1] == '/')
		size--;
	cgroup_of(pid, below, sizeof(below));
	return below[0] && !strncmp(below, guarded, size) && (!size || !below[size] || below[size] == '/');
}

bool process_is_contained(int pid)
{
	static const char *const kinds[] = {"pid", "cgroup"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char own[64], path[64];
		uint64_t inode;

		snprintf(own, sizeof(own), "/proc/self/ns/%s", kinds[i]);
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, kinds[i]);
		inode = namespace_of(path);
		if (inode && inode != namespace_of(own))
			return true;
	}
	return false;
}

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
