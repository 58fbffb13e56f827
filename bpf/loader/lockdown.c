/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sudo lockdown: while a session stands, one sudoers file of ours lies over the machine's, so that no
 * grant of any file, group, alias or include reaches the runner user; and the sockets that equal
 * root belong to root alone. Both act on the objects, so running processes are bound too; what they
 * have connected to such a socket before is ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lockdown.h"
#include "paths.h"
#include "root_clients.h"
#include "unlock.h"

#define SUDOERS "/etc/sudoers"
#define OWN_SUDOERS RUN_DIR "/sudoers"
#define CLOSED_LIST RUN_DIR "/closed-sockets"
#define VISUDO "/usr/sbin/visudo"

const char *const root_sockets[] = {
	"/run/docker.sock",
	"/run/containerd/containerd.sock",
	"/run/podman/podman.sock",
	"/run/buildkit/buildkitd.sock",
	"/run/crio/crio.sock",
	"/run/snapd.socket",
	"/run/snapd-snap.socket",
	"/run/libvirt/libvirt-sock",
	"/run/libvirt/virtqemud-sock",
	"/var/lib/lxd/unix.socket",
	"/var/snap/lxd/common/lxd/unix.socket",
	"/var/lib/incus/unix.socket",
	NULL,
};

/*
 * Root keeps what it has; the runner user gets the allowed commands and nothing else but, where a session
 * ends with its worker, what gives sudo back when nobody else does (unlock.c).
 */
static int write_sudoers(const struct options *o)
{
	int fd = open(OWN_SUDOERS, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0440);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f)
		return -errno;
	fprintf(f, "# cargowall: this file lies over the machine's own while a job is guarded\n"
		   "Defaults env_reset\n"
		   "Defaults secure_path=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"\n"
		   "root ALL=(ALL:ALL) ALL\n");
	for (size_t i = 0; i < o->allow_count; i++)
		fprintf(f, "#%u ALL=(root) NOPASSWD: %s\n", (unsigned int)o->uid, o->allow[i]);
	if (!o->keep)
		fprintf(f, "#%u ALL=(root) NOPASSWD: " UNLOCK_PROGRAM " unlock\n", (unsigned int)o->uid);
	fchmod(fd, 0440);
	return fclose(f) ? -errno : 0;
}

/* sudo refuses a file it can't read, and then nobody has sudo: it is checked first. */
static int check_sudoers(void)
{
	static char *argv[] = {VISUDO, "-c", "-q", "-f", OWN_SUDOERS, NULL}, *env[] = {NULL};
	int status;
	pid_t pid = fork();

	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
		execve(argv[0], argv, env);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -ECHILD;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EINVAL;
}

/* Takes a socket for root alone and notes what it was; one that is not there is not made. */
static int close_socket(const char *path)
{
	struct stat st;
	FILE *list;

	if (lstat(path, &st) || !S_ISSOCK(st.st_mode))
		return 0;
	if (!st.st_uid && !st.st_gid && !(st.st_mode & 0077))
		return 0;
	list = fopen(CLOSED_LIST, "ae");
	if (!list)
		return -errno;
	fprintf(list, "%s %o %u %u\n", path, st.st_mode & 07777, st.st_uid, st.st_gid);
	fclose(list);
	return chmod(path, 0600) || lchown(path, 0, 0) ? -errno : 0;
}

int lockdown_apply(const struct session *s, const char **why)
{
	static char culprit[128];
	int err;

	if (!s->options.lockdown)
		return 0;
	*why = "sudo-lockdown: the job's user is root, whom nothing can be taken from";
	if (!s->options.uid)
		return -EPERM;
	*why = "sudo-lockdown: " WORKER_FILE;
	err = s->options.keep ? 0 : unlock_prepare(s);
	if (err)
		return err;
	*why = "sudo-lockdown: " OWN_SUDOERS;
	err = write_sudoers(&s->options);
	if (err)
		return err;
	*why = "sudo-lockdown: " VISUDO " does not take the new sudoers file";
	err = check_sudoers();
	if (err)
		return err;
	*why = "sudo-lockdown: " SUDOERS;
	if (mount(OWN_SUDOERS, SUDOERS, NULL, MS_BIND, NULL) ||
	    mount(NULL, SUDOERS, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL))
		return -errno;
	for (size_t i = 0; root_sockets[i]; i++) {
		*why = root_sockets[i];
		err = close_socket(root_sockets[i]);
		if (err)
			return err;
	}
	for (size_t i = 0; root_sockets[i]; i++) {
		snprintf(culprit, sizeof(culprit), "sudo-lockdown: connections open to %s", root_sockets[i]);
		*why = culprit;
		err = root_clients_end(root_sockets[i]);
		if (err)
			return err;
	}
	return 0;
}

static bool is_ours(void)
{
	struct stat over, own;

	return !stat(SUDOERS, &over) && !stat(OWN_SUDOERS, &own) && over.st_dev == own.st_dev &&
	       over.st_ino == own.st_ino;
}

void lockdown_undo(void)
{
	char path[256];
	unsigned int mode, uid, gid;
	FILE *list = fopen(CLOSED_LIST, "re");

	while (list && fscanf(list, "%255s %o %u %u", path, &mode, &uid, &gid) == 4) {
		struct stat st;

		/* only what is still as we have left it: a service that started again has made its own */
		if (lstat(path, &st) || !S_ISSOCK(st.st_mode) || st.st_uid || (st.st_mode & 0077))
			continue;
		if (lchown(path, uid, gid) || chmod(path, mode))
			continue;
	}
	if (list)
		fclose(list);
	if (is_ours())
		umount2(SUDOERS, MNT_DETACH);
}

void lockdown_check(const struct session *s, void (*report)(const char *finding))
{
	char finding[160];

	if (!s->options.lockdown)
		return;
	if (!is_ours())
		report("sudo-lockdown is gone: another file stands at " SUDOERS);
	for (size_t i = 0; root_sockets[i]; i++) {
		struct stat st;

		if (lstat(root_sockets[i], &st) || !S_ISSOCK(st.st_mode) ||
		    (!st.st_uid && !st.st_gid && !(st.st_mode & 0077)))
			continue;
		snprintf(finding, sizeof(finding), "%s was open to others than root%s", root_sockets[i],
			 close_socket(root_sockets[i]) || root_clients_end(root_sockets[i])
				 ? " and could not be closed"
				 : "; it is closed again");
		report(finding);
	}
}
