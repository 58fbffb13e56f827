/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts of our own, copies nobody can change, and the log that only grows. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "paths.h"
#include "run_dir.h"

static int copy_file(const char *from, const char *to, mode_t mode)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out, err = 0;
	struct stat st;

	if (in < 0)
		return -errno;
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700);
	if (out < 0 || fstat(in, &st)) {
		err = -errno;
	} else {
		for (off_t left = st.st_size; left > 0 && !err;) {
			ssize_t n = sendfile(out, in, NULL, (size_t)left);

			if (n <= 0)
				err = n ? -errno : -EIO;
			left -= n;
		}
		if (!err && fchmod(out, mode))
			err = -errno;
	}
	close(in);
	if (out >= 0)
		close(out);
	return err;
}

/* The run directory's own mount, on a directory of that very name: a link would put it elsewhere. */
static int mount_run_dir(void)
{
	char place[64];
	int fd, err = 0;

	if (mkdir(RUN_DIR, 0755) && errno != EEXIST)
		return -errno;
	fd = open(RUN_DIR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(place, sizeof(place), "/proc/self/fd/%d", fd);
	if (mount("cargowall", place, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=320m"))
		err = -errno;
	close(fd);
	return err;
}

static int make_mounts(const char **why)
{
	int err;

	*why = RUN_DIR;
	err = mount_run_dir();
	if (err)
		return err;
	if (mkdir(BIN_DIR, 0755) || mkdir(BIN_DIR "/daemon", 0755) || mkdir(BPF_DIR, 0700) ||
	    mkdir(RECORDS_DIR, 0755))
		return -errno;
	*why = RECORDS_DIR;
	if (mount("cargowall-records", RECORDS_DIR, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=0755,size=512m"))
		return -errno;
	*why = BPF_DIR;
	return mount("cargowall-bpf", BPF_DIR, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") ? -errno
												     : 0;
}

static int copy_files(const struct session *s, const char **why)
{
	static const char *const names[] = {"index.js", "package.json"};
	char from[4200], to[4200];
	int err;

	*why = s->options.node;
	err = copy_file(s->options.node, BIN_DIR "/node", 0711); /* unreadable: not dumpable */
	if (!err) {
		*why = s->options.object;
		err = copy_file(s->options.object, BIN_DIR "/egress.bpf.o", 0644);
	}
	if (!err && s->options.lockdown && !s->options.keep) {
		*why = UNLOCK_PROGRAM;
		err = copy_file("/proc/self/exe", UNLOCK_PROGRAM, 0711);
	}
	for (int i = 0; i < 2 && !err; i++) {
		snprintf(from, sizeof(from), "%s/%s", s->options.daemon_dir, names[i]);
		snprintf(to, sizeof(to), BIN_DIR "/daemon/%s", names[i]);
		*why = names[i];
		err = copy_file(from, to, 0644);
	}
	return err;
}

int run_dir_make(const struct session *s, const char **why)
{
	int err = make_mounts(why);

	return err ? err : copy_files(s, why);
}

static int write_settings(const struct session *s)
{
	int fd = open(SESSION_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, s->settings, s->settings_size) != (ssize_t)s->settings_size)
		err = -errno;
	close(fd);
	return err;
}

/* The daemon holds this descriptor: it may add, never cut. Linux 6.6 or later; before that, nothing. */
static void keep_appended(int fd)
{
	int flags = FS_APPEND_FL;

	(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

int run_dir_open_files(struct session *s, const char **why)
{
	int err;

	*why = SESSION_FILE;
	err = write_settings(s);
	if (err)
		return err;
	*why = AUDIT_LOG;
	s->audit_fd = open(AUDIT_LOG, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (s->audit_fd < 0)
		return -errno;
	keep_appended(s->audit_fd);
	return 0;
}

/* Pinned links go with their names; an unmount alone would leave a mount elsewhere in force. */
static void remove_pins(void)
{
	char path[sizeof(BPF_DIR) + 256];
	struct dirent *entry;
	DIR *d = opendir(BPF_DIR);

	while (d && (entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), BPF_DIR "/%s", entry->d_name);
		unlink(path);
	}
	if (d)
		closedir(d);
}

bool run_dir_stands(void)
{
	struct statx st;

	return !statx(AT_FDCWD, RUN_DIR, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st) &&
	       st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

void run_dir_remove(void)
{
	remove_pins();
	umount2(BPF_DIR, MNT_DETACH | UMOUNT_NOFOLLOW);
	umount2(RECORDS_DIR, MNT_DETACH | UMOUNT_NOFOLLOW);
	umount2(RUN_DIR, MNT_DETACH | UMOUNT_NOFOLLOW);
}
