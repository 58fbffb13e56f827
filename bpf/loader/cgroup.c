/* SPDX-License-Identifier: Apache-2.0 */
/* Cgroups of the cgroup2 hierarchy: ids, who is in them, and their end. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"

char *cgroup_mount(void)
{
	static char path[PATH_MAX];
	char line[8192], type[64];
	FILE *f = fopen("/proc/self/mounts", "re");

	path[0] = 0;
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %4095s %63s", path, type) == 2 && !strcmp(type, "cgroup2"))
			break;
		else
			path[0] = 0;
	if (f)
		fclose(f);
	return path;
}

uint64_t cgroup_id(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

int cgroup_put(const char *path, pid_t pid)
{
	char procs[4200], text[16];
	int fd, err = 0, size = snprintf(text, sizeof(text), "%d", pid);

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)size) != size)
		err = -errno;
	close(fd);
	return err;
}

int cgroup_enter(const char *path)
{
	return cgroup_put(path, 0);
}

void cgroup_empty(const char *path)
{
	char procs[4200];
	FILE *f;
	int pid;

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	f = fopen(procs, "re");
	if (!f)
		return;
	while (fscanf(f, "%d", &pid) == 1)
		if (pid > 1 && pid != getpid())
			kill(pid, SIGKILL);
	fclose(f);
}

void cgroup_remove(const char *path)
{
	for (int round = 0; round < 100; round++) {
		if (!rmdir(path) || errno == ENOENT)
			return;
		cgroup_empty(path);
		usleep(10000); /* the kernel tells nobody when a cgroup is empty but by a poll */
	}
}
