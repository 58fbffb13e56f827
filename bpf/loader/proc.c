/* SPDX-License-Identifier: Apache-2.0 */
/* Processes as /proc has them: their cgroup, their namespaces, their sockets. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "proc.h"

static const char *guarded_path = "";

void guard_cgroup(const char *path)
{
	guarded_path = path;
}

const char *guarded_cgroup(void)
{
	return guarded_path;
}

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
	const char *guarded = guarded_path;
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

void process_sockets(int pid, bool (*visit)(int pid, unsigned long inode, void *arg), void *arg)
{
	char path[64], target[64];
	struct dirent *entry;
	bool more = true;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	fds = opendir(path);
	while (fds && more && (entry = readdir(fds))) {
		ssize_t n = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);
		unsigned long inode;

		if (n <= 0)
			continue;
		target[n] = 0;
		if (sscanf(target, "socket:[%lu]", &inode) == 1)
			more = visit(pid, inode, arg);
	}
	if (fds)
		closedir(fds);
}

/* A word of /proc/PID/status by its name; false: there is no such process. */
static bool status_word(int pid, const char *name, char *word, size_t size)
{
	size_t length = strlen(name);
	char path[64], line[256];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, length) || line[length] != ':')
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(word, size, "%s", line + length + 1 + strspn(line + length + 1, "\t "));
		found = true;
	}
	if (f)
		fclose(f);
	return found;
}

char process_state(int pid)
{
	char word[64];

	return status_word(pid, "State", word, sizeof(word)) ? word[0] : 0;
}

int process_tracer(int pid)
{
	char word[64];

	return status_word(pid, "TracerPid", word, sizeof(word)) ? atoi(word) : 0;
}
