/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loader and daemon are known by their cgroups: each is in its own, which is not frozen, and nobody but the
 * keeper is there too. None of the three is traced.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "findings.h"
#include "places.h"
#include "proc.h"

#define FINDING_MAX 192
#define STRANGERS_MAX 8 /* told at a look */

/* Whose cgroup it is, and who belongs there. */
struct place {
	const char *cgroup, *whose;
	pid_t members[3]; /* one that is being born may stand there too: 0 or its pid */
	bool here[3];
};

static void look_around(struct place *p)
{
	char path[4200], finding[FINDING_MAX];
	int pid, strangers = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/cgroup.procs", p->cgroup);
	f = fopen(path, "re");
	while (f && fscanf(f, "%d", &pid) == 1) {
		bool is_member = false;

		for (int i = 0; i < 3; i++)
			if (p->members[i] == pid)
				is_member = p->here[i] = true;
		if (is_member || strangers++ >= STRANGERS_MAX)
			continue;
		snprintf(finding, sizeof(finding), "process %d of somebody else is in the %s's cgroup", pid,
			 p->whose);
		check_find(finding);
	}
	if (f)
		fclose(f);
}

/* Brings ourselves or our child back: nobody else's number is sure to be theirs still. */
static void bring_back(pid_t pid, const char *name, const char *cgroup)
{
	char finding[FINDING_MAX];
	int err = cgroup_put(cgroup, pid == getpid() ? 0 : pid);

	snprintf(finding, sizeof(finding), "the %s was moved to another cgroup%s%s", name,
		 err ? ", and could not be put right: " : "; it is back", err ? strerror(-err) : "");
	if (err)
		check_find(finding);
	else
		check_happened(finding);
}

/* A child that has not ended. */
static bool is_alive(pid_t child)
{
	char state = child > 1 ? process_state(child) : 0;

	return state && state != 'Z' && state != 'X';
}

static void look_for_tracer(pid_t pid, const char *name)
{
	char finding[FINDING_MAX];
	int tracer = process_tracer(pid);

	if (!tracer)
		return;
	snprintf(finding, sizeof(finding), "process %d traces the %s", tracer, name);
	check_find(finding);
}

static void thaw(const char *cgroup)
{
	char path[4200];
	FILE *f;
	int frozen = 0;

	snprintf(path, sizeof(path), "%s/cgroup.freeze", cgroup);
	f = fopen(path, "r+e");
	if (f && fscanf(f, "%d", &frozen) == 1 && frozen) {
		rewind(f);
		fputs("0", f);
		check_happened("the daemon's cgroup was frozen; it is no more");
	}
	if (f)
		fclose(f);
}

void places_check(const struct session *s, pid_t keeper, pid_t daemon)
{
	/* a daemon comes from the loader's cgroup to its own: who is not here is there then */
	struct place loaders = {s->loader_cgroup, "loader", {getpid(), keeper, daemon}, {false}};
	struct place daemons = {s->daemon_cgroup, "daemon", {daemon, 0, 0}, {false}};
	static pid_t known;

	/* the one before it may still be ending there */
	if (daemon != known) {
		known = daemon;
		return;
	}
	look_around(&loaders);
	look_around(&daemons);
	if (!loaders.here[0])
		bring_back(getpid(), "loader", s->loader_cgroup);
	if (!daemons.here[0] && !loaders.here[2] && is_alive(daemon))
		bring_back(daemon, "daemon", s->daemon_cgroup);
	thaw(s->daemon_cgroup);
	look_for_tracer(getpid(), "loader");
	if (keeper > 1)
		look_for_tracer(keeper, "keeper");
	if (daemon > 1)
		look_for_tracer(daemon, "daemon");
}
