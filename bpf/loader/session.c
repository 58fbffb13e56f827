/* SPDX-License-Identifier: Apache-2.0 */
/* What a session puts on the machine: cgroups, mounts, copies, sockets. Undo knows them by name. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "loader.h"
#include "lockdown.h"

uint64_t cgroup_id(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

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
	for (int i = 0; i < 2 && !err; i++) {
		snprintf(from, sizeof(from), "%s/%s", s->options.daemon_dir, names[i]);
		snprintf(to, sizeof(to), BIN_DIR "/daemon/%s", names[i]);
		*why = names[i];
		err = copy_file(from, to, 0644);
	}
	return err;
}

/* What a socket of the proxy's is for. */
enum purpose {
	FOR_EVERYBODY, /* over UDP, */
	FOR_RUNNER, /* behind it, */
	FOR_STREAMS,
};

static int bind_one(struct session *s, const struct address *a, enum purpose purpose, uint16_t port)
{
	struct proxy_socket *p = &s->sockets[s->socket_count];
	static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	bool v4 = !memcmp(a->b, mapped, 12);
	struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	bool tcp = purpose == FOR_STREAMS;
	int one = 1, fd;

	if (s->socket_count == SOCKETS_MAX)
		return -ENOSPC;
	memcpy(&a4.sin_addr, a->b + 12, 4);
	memcpy(&a6.sin6_addr, a->b, 16);
	fd = socket(v4 ? AF_INET : AF_INET6, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    0);
	if (fd < 0)
		return -errno;
	if (!v4)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (!tcp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (bind(fd, v4 ? (void *)&a4 : (void *)&a6, v4 ? sizeof(a4) : sizeof(a6)) ||
	    (tcp && listen(fd, 128))) {
		int err = -errno;

		close(fd);
		return err;
	}
	p->fd = fd;
	p->tcp = tcp;
	p->runner = purpose == FOR_RUNNER;
	p->bound = *a;
	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->b + 12 : a->b, p->address, sizeof(p->address));
	s->socket_count++;
	return 0;
}

/* The stream first: it alone tells that somebody else has the port. */
static int bind_address(struct session *s, const struct address *a, uint16_t port)
{
	int err = bind_one(s, a, FOR_STREAMS, port);

	for (int purpose = 0; purpose < FOR_STREAMS && !err; purpose++)
		err = bind_one(s, a, purpose, port);
	return err;
}

static int bind_everywhere(struct session *s, uint16_t port)
{
	struct address loop4 = {}, loop6 = {};
	int err = 0;

	loop4.b[10] = loop4.b[11] = 0xff;
	loop4.b[12] = 127;
	loop4.b[15] = 1;
	loop6.b[15] = 1;
	err = bind_address(s, &loop4, port);
	if (!err) {
		err = bind_address(s, &loop6, port);
		if (err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT)
			err = 0; /* a machine without IPv6 */
	}
	for (size_t i = 0; i < own_count && !err; i++) {
		const struct own_address *o = &own_addresses[i];

		if (!o->uplink || (o->addr.b[0] == 0xfe && (o->addr.b[1] & 0xc0) == 0x80))
			continue;
		if (o->addr.b[10] == 0xff && !o->addr.b[0])
			s->far4 = o->addr;
		else
			s->far6 = o->addr;
		err = bind_address(s, &o->addr, port);
	}
	return err;
}

/* One port for every address, UDP and TCP: taken from below the ephemeral range. */
static int bind_proxy(struct session *s)
{
	int err = -EADDRINUSE;

	for (uint16_t port = 15353; port < 15853 && err == -EADDRINUSE; port++) {
		while (s->socket_count)
			close(s->sockets[--s->socket_count].fd);
		err = bind_everywhere(s, port);
		s->proxy_port = port;
	}
	return err;
}

static int bind_canary(struct session *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(a);

	s->canary_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->canary_fd < 0 || bind(s->canary_fd, (void *)&a, sizeof(a)) || listen(s->canary_fd, 8) ||
	    getsockname(s->canary_fd, (void *)&a, &size))
		return -errno;
	s->canary_port = ntohs(a.sin_port);
	return 0;
}

static int open_control(struct session *s)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = CONTROL_SOCKET};

	s->control_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->control_fd < 0 || bind(s->control_fd, (void *)&a, sizeof(a)) || chmod(CONTROL_SOCKET, 0666) ||
	    listen(s->control_fd, 16))
		return -errno;
	return 0;
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

int session_prepare(struct session *s, const char **why)
{
	int err = make_mounts(why);

	if (!err)
		err = copy_files(s, why);
	if (!err) {
		*why = s->daemon_cgroup;
		if (mkdir(s->daemon_cgroup, 0755) && errno != EEXIST)
			err = -errno;
	}
	if (!err) {
		*why = "the network's interfaces";
		err = network_scan();
	}
	if (!err) {
		*why = "the proxy's sockets";
		err = bind_proxy(s);
	}
	if (!err) {
		*why = "the canary's socket";
		err = bind_canary(s);
	}
	if (!err) {
		*why = CONTROL_SOCKET;
		err = open_control(s);
	}
	if (!err) {
		*why = SESSION_FILE;
		err = write_settings(s);
	}
	if (!err) {
		*why = AUDIT_LOG;
		s->audit_fd = open(AUDIT_LOG, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
				   0644);
		if (s->audit_fd < 0)
			err = -errno;
		else
			keep_appended(s->audit_fd);
	}
	/* last: what comes before may need nothing of it, and a failure takes it back */
	return err ? err : lockdown_apply(s, why);
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

/* Ends what is left in a cgroup of ours, then removes it. */
static void remove_cgroup(const char *path)
{
	for (int round = 0; round < 100; round++) {
		if (!rmdir(path) || errno == ENOENT)
			return;
		cgroup_empty(path);
		usleep(10000); /* the kernel tells nobody when a cgroup is empty but by a poll */
	}
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

/* Whether a mount stands at the run directory's own name; what else may lie there is not ours. */
static bool run_dir_stands(void)
{
	struct statx st;

	return !statx(AT_FDCWD, RUN_DIR, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st) &&
	       st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

void session_undo(const struct session *s)
{
	char path[4200];
	FILE *f;

	/* first what was opened last: undoing needs descriptors too */
	for (size_t i = 0; i < s->socket_count; i++)
		close(s->sockets[i].fd);
	if (s->canary_fd >= 0)
		close(s->canary_fd);
	if (s->control_fd >= 0)
		close(s->control_fd);
	if (s->audit_fd >= 0)
		close(s->audit_fd);
	remove_cgroup(s->daemon_cgroup);
	if (run_dir_stands()) {
		lockdown_undo();
		remove_pins();
		umount2(BPF_DIR, MNT_DETACH | UMOUNT_NOFOLLOW);
		umount2(RECORDS_DIR, MNT_DETACH | UMOUNT_NOFOLLOW);
		umount2(RUN_DIR, MNT_DETACH | UMOUNT_NOFOLLOW);
	}
	clsact_clear();
	rmdir(RUN_DIR);
	/* the keeper leaves its own cgroup for the one above, then removes it */
	snprintf(path, sizeof(path), "%s/cgroup.procs", s->options.cgroup);
	f = fopen(path, "we");
	if (f) {
		fputs("0", f);
		fclose(f);
	}
	remove_cgroup(s->loader_cgroup);
}

bool session_is_undone(const struct session *s)
{
	return access(RUN_DIR, F_OK) && access(s->daemon_cgroup, F_OK) && access(s->loader_cgroup, F_OK);
}
