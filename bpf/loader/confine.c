/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's walls: a file system that shows what it needs, read-only, and a filter that allows the
 * system calls Node makes and refuses all others. It parses hostile bytes; whoever takes it over finds
 * no program to start, no other process to reach, no file to read and no socket but UDP and TCP.
 */
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroup.h"
#include "paths.h"

#define VIEW RUN_DIR "/view"
#define FILES_MAX 16384

#define READ_ONLY (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define DATA (READ_ONLY | MOUNT_ATTR_NOEXEC)

struct shown {
	const char *path;
	uint64_t attributes;
};

/* What node maps and what src/daemon.ts reads; what a machine does not have is left out. */
static const struct shown shown[] = {
	{BIN_DIR, READ_ONLY},
	{"/lib", READ_ONLY},
	{"/lib64", READ_ONLY},
	{"/usr/lib", READ_ONLY},
	{"/usr/lib64", READ_ONLY},
	{"/nix/store", READ_ONLY},
	{"/gnu/store", READ_ONLY},
	{RECORDS_DIR, DATA},
	{"/etc/ld.so.cache", DATA},
	{"/etc/ssl/certs/ca-certificates.crt", DATA},
	{"/etc/pki/tls/certs/ca-bundle.crt", DATA},
	{"/sys/class/dmi/id", DATA},
	{"/sys/devices/system/cpu/online", DATA},
};

/* The directories above a path in the view, then the path itself. */
static int make_place(char *path, bool is_directory)
{
	int fd;

	for (char *p = path + sizeof(VIEW); (p = strchr(p, '/')); *p++ = '/') {
		*p = 0;
		if (mkdir(path, 0755) && errno != EEXIST)
			return -errno;
	}
	if (is_directory)
		return mkdir(path, 0755) && errno != EEXIST ? -errno : 0;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Lays one path of the machine into the view; its attributes stand before it can be reached. */
static int show(const char *path, uint64_t attributes)
{
	struct mount_attr attr = {.attr_set = attributes};
	char place[4200];
	struct stat st;
	int err, fd;

	if (stat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	snprintf(place, sizeof(place), VIEW "%s", path);
	err = make_place(place, S_ISDIR(st.st_mode));
	if (err)
		return err;
	fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) ||
	    move_mount(fd, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH))
		err = -errno;
	close(fd);
	return err;
}

/* Its own process and nobody else's. */
static int show_processes(void)
{
	if (mkdir(VIEW "/proc", 0755))
		return -errno;
	return mount("proc", VIEW "/proc", "proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		     "hidepid=2,subset=pid")
		       ? -errno
		       : 0;
}

int confine_view(const char **why)
{
	struct mount_attr read_only = {.attr_set = DATA};
	int err = 0;

	*why = "a mount namespace of its own";
	if (unshare(CLONE_NEWNS | CLONE_NEWIPC) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	*why = VIEW;
	if ((mkdir(VIEW, 0755) && errno != EEXIST) ||
	    mount("cargowall-view", VIEW, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755,size=64k"))
		return -errno;
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]) && !err; i++) {
		*why = shown[i].path;
		err = show(shown[i].path, shown[i].attributes);
	}
	if (!err) {
		*why = "the cgroup hierarchy";
		err = show(cgroup_mount(), DATA);
	}
	if (!err) {
		*why = "/proc";
		err = show_processes();
	}
	if (err)
		return err;
	*why = VIEW;
	if (mount_setattr(AT_FDCWD, VIEW, 0, &read_only, sizeof(read_only)) || chdir(VIEW))
		return -errno;
	/* the old root comes to lie over the new one, and goes (pivot_root(2)) */
	*why = "the root of the view";
	if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
		return -errno;
	return 0;
}

/* Beyond the limit on descriptors once that is set: no call can make one of this number again. */
static unsigned int program_fd;

int confine_program(const char *path)
{
	struct rlimit limit;
	int fd;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	if (limit.rlim_max > FILES_MAX + 1)
		limit.rlim_max = FILES_MAX + 1;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	program_fd = (unsigned int)limit.rlim_max - 1;
	limit.rlim_cur = limit.rlim_max = program_fd;
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (dup3(fd, (int)program_fd, O_CLOEXEC) < 0 || close(fd) || setrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	return 0;
}

int confine_start(char **argv, char **env)
{
	int err = calls_restrict(program_fd);

	if (err)
		return err;
	syscall(SYS_execveat, program_fd, "", argv, env, AT_EMPTY_PATH);
	return -errno;
}
