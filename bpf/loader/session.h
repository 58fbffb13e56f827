/* SPDX-License-Identifier: Apache-2.0 */
/* The state of one session, from start to teardown: the keeper owns it, the loader inherits it. */
#ifndef CARGOWALL_SESSION_H
#define CARGOWALL_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../abi.h"

/* Exit codes of `start`; each is provoked by a test. */
enum exit_code {
	EXIT_GREEN = 0,
	EXIT_USAGE = 2,
	EXIT_UNSUPPORTED = 3,
	EXIT_REFUSED = 4,
	EXIT_RUNNING = 5,
	EXIT_FAILED = 6,
};

#define ALLOW_MAX 64

struct options {
	const char *cgroup;
	const char *node;
	const char *daemon_dir;
	const char *object;
	uid_t uid;
	pid_t worker;
	bool root;
	bool keep;
	bool lockdown; /* take sudo and its like from the job's user */
	const char *allow[ALLOW_MAX]; /* absolute paths, checked by main */
	size_t allow_count;
};

#define SOCKETS_MAX 96

struct proxy_socket {
	int fd;
	bool tcp;
	bool runner; /* over UDP: for runner processes alone */
	struct address bound;
	char address[64];
};

struct session {
	struct options options;
	char loader_cgroup[4096];
	char daemon_cgroup[4096];
	char *settings; /* main's JSON line, opaque */
	size_t settings_size;
	int audit_fd;
	int control_fd;
	int canary_fd;
	int status_fd; /* to the front process; -1 after green */
	int stdin_fd; /* from main; -1 after green */
	int keeper_fd; /* pidfd of the keeper */
	int worker_fd; /* pidfd of the runner's worker */
	char *early; /* what main sent behind the settings already */
	size_t early_size;
	struct proxy_socket sockets[SOCKETS_MAX];
	size_t socket_count;
	uint16_t proxy_port;
	uint16_t canary_port;
	struct address far4, far6;
	uid_t daemon_uid;
	bool green;
	bool keeper_lost; /* the loader that is about to start tells it */
	bool loader_held; /* as well: the one before was held by a tracer */
};

#endif /* CARGOWALL_SESSION_H */
