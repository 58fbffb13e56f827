/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which a session comes to the machine and leaves it. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bind.h"
#include "cgroup.h"
#include "clsact.h"
#include "lockdown.h"
#include "network.h"
#include "paths.h"
#include "prepare.h"
#include "run_dir.h"

int session_prepare(struct session *s, const char **why)
{
	int err = run_dir_make(s, why);

	if (!err) {
		*why = s->daemon_cgroup;
		if (mkdir(s->daemon_cgroup, 0755) && errno != EEXIST)
			err = -errno;
	}
	if (!err) {
		*why = "the network's interfaces";
		err = network_scan();
	}
	if (!err)
		err = bind_all(s, why);
	if (!err)
		err = run_dir_open_files(s, why);
	/* last: what comes before may need nothing of it, and a failure takes it back */
	return err ? err : lockdown_apply(s, why);
}

void session_undo(const struct session *s)
{
	/* first what was opened last: undoing needs descriptors too */
	bind_close(s);
	if (s->audit_fd >= 0)
		close(s->audit_fd);
	cgroup_remove(s->daemon_cgroup);
	if (run_dir_stands()) {
		lockdown_undo();
		run_dir_remove();
	}
	clsact_clear();
	rmdir(RUN_DIR);
	/* the keeper leaves its own cgroup for the one above, then removes it */
	(void)cgroup_enter(s->options.cgroup);
	cgroup_remove(s->loader_cgroup);
}

bool session_is_undone(const struct session *s)
{
	return access(RUN_DIR, F_OK) && access(s->daemon_cgroup, F_OK) && access(s->loader_cgroup, F_OK);
}
