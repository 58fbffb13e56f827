/* SPDX-License-Identifier: Apache-2.0 */
/* The runner's processes at start: the worker, its ancestors, and what is older in its cgroup. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "findings.h"
#include "maps.h"
#include "processes.h"

static struct daemon_value daemon_kept; /* as the kernel has it of us */

struct process {
	pid_t pid, parent;
	uint64_t ticks;
	char cgroup[4096];
};

/* Field 4 (ppid) and 22 (start time) of /proc/PID/stat; the name may hold anything. */
static int process_read(pid_t pid, struct process *p)
{
	char path[64], text[4096], *at;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	at = strrchr(text, ')');
	if (!at)
		return -1;
	p->pid = pid;
	unsigned long long ticks = 0;
	int parent = 0;

	if (sscanf(at + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		   &parent, &ticks) != 2)
		return -1;
	p->parent = parent;
	p->ticks = ticks;
	p->cgroup[0] = 0;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(text, sizeof(text), f))
		if (!strncmp(text, "0::", 3))
			snprintf(p->cgroup, sizeof(p->cgroup), "%s", text + 3);
	fclose(f);
	return 0;
}

int process_started(pid_t pid, uint64_t *ticks)
{
	struct process p;

	if (process_read(pid, &p))
		return -1;
	*ticks = p.ticks;
	return 0;
}

pid_t process_parent(pid_t pid)
{
	struct process p;

	return process_read(pid, &p) ? 0 : p.parent;
}

static int remember(const struct process *p, uint32_t scope, uint8_t origin, uint8_t flags)
{
	struct process_key k = {.tgid = (uint32_t)p->pid};
	struct process_value v = {.start_ticks = p->ticks, .scope = scope, .origin = origin, .flags = flags};

	return bpf_map_update_elem(map_fds[M_PROCESSES], &k, &v, BPF_ANY);
}

static bool is_ancestor(pid_t maybe, pid_t of)
{
	struct process p;

	for (int depth = 0; of > 1 && depth < 128; depth++) {
		if (process_read(of, &p))
			return false;
		if (p.parent == maybe)
			return true;
		of = p.parent;
	}
	return false;
}

int processes_daemon(pid_t pid)
{
	uint32_t zero = 0;
	struct process p;

	if (process_read(pid, &p))
		return -1;
	daemon_kept = (struct daemon_value){.start_ticks = p.ticks, .tgid = (uint32_t)pid};
	return bpf_map_update_elem(map_fds[M_DAEMONS], &zero, &daemon_kept, BPF_ANY);
}

bool process_is_daemon(pid_t pid)
{
	return daemon_kept.tgid == (uint32_t)pid;
}

void processes_check(void)
{
	struct daemon_value now;
	uint32_t zero = 0;

	if (!daemon_kept.tgid || bpf_map_lookup_elem(map_fds[M_DAEMONS], &zero, &now) ||
	    !memcmp(&now, &daemon_kept, sizeof(now)))
		return;
	bpf_map_update_elem(map_fds[M_DAEMONS], &zero, &daemon_kept, BPF_ANY);
	check_happened("somebody else has written which process the daemon is; it is put right");
}

int processes_capture(const struct session *s)
{
	struct process worker, p;
	struct dirent *entry;
	DIR *proc;

	if (process_read(s->options.worker, &worker))
		return -1;
	proc = opendir("/proc");
	if (!proc)
		return -1;
	while ((entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);

		if (!isdigit((unsigned char)entry->d_name[0]) || pid < 2 || process_read(pid, &p))
			continue;
		if (pid == worker.pid)
			remember(&p, SCOPE_RUNNER, ORIGIN_RUNNER, PROCESS_IS_WORKER);
		else if (is_ancestor(worker.pid, pid))
			remember(&p, SCOPE_EVERYONE, ORIGIN_JOB, 0);
		else if (is_ancestor(pid, worker.pid))
			remember(&p, SCOPE_RUNNER, ORIGIN_RUNNER, 0);
		else if (p.ticks < worker.ticks && !strcmp(p.cgroup, worker.cgroup))
			remember(&p, SCOPE_RUNNER, ORIGIN_RUNNER, PROCESS_INHERITED);
	}
	closedir(proc);
	return 0;
}
