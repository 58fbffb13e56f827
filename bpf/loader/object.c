/* SPDX-License-Identifier: Apache-2.0 */
/* The eBPF object: load, attach by links, pin after the proof, reopen after a restart. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "loader.h"

#define LINKS_MAX 96

int map_fds[M_COUNT];

static const char *const map_names[M_COUNT] = {
	"config",    "heartbeat", "policy",   "rules", "grants", "locals",   "resolvers",
	"processes", "cgroups",	  "existing", "flows", "owners", "counters", "events",
};

static struct bpf_object *object;
static int tc_program = -1, repeats_program = -1;
static struct link_state links[LINKS_MAX];
static size_t link_count;

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

/* Whether a TC link still has its interface; a number may come back as another interface. */
static bool link_stands(const struct link_state *l)
{
	struct bpf_link_info info = {};
	unsigned int size = sizeof(info);

	/* a TCX link's interface number has the place of an XDP link's */
	return !bpf_obj_get_info_by_fd(l->fd, &info, &size) && info.xdp.ifindex == l->ifindex;
}

/* Forgets the links whose interfaces are gone. */
static void links_prune(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < link_count; i++) {
		char path[128];

		if (!links[i].ifindex || link_stands(&links[i])) {
			links[kept++] = links[i];
			continue;
		}
		snprintf(path, sizeof(path), BPF_DIR "/link_%s", links[i].name);
		unlink(path);
		close(links[i].fd);
	}
	link_count = kept;
}

static int link_keep(int fd, unsigned int ifindex, const char *name)
{
	struct bpf_link_info info = {};
	unsigned int size = sizeof(info);

	if (link_count == LINKS_MAX)
		return -ENOSPC;
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	links[link_count].program = info.prog_id;
	links[link_count].fd = fd;
	links[link_count].ifindex = ifindex;
	snprintf(links[link_count].name, sizeof(links[0].name), "%s", name);
	link_count++;
	return 0;
}

static int attach_all(int cgroup, const char **why)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, object)
	{
		const char *name = bpf_program__name(prog);
		struct bpf_link *link;

		if (!strcmp(name, "egress_tc")) {
			tc_program = bpf_program__fd(prog);
			continue;
		}
		if (!strcmp(name, "egress_repeats")) {
			repeats_program = bpf_program__fd(prog);
			continue;
		}
		if (!strcmp(name, "egress_fork") || !strcmp(name, "egress_exit"))
			link = bpf_program__attach(prog);
		else
			link = bpf_program__attach_cgroup(prog, cgroup);
		if (!link) {
			*why = name;
			return -errno;
		}
		if (link_keep(bpf_link__fd(link), 0, name))
			return -ENOSPC;
	}
	return 0;
}

int object_load(const struct session *s, const char **why)
{
	int cgroup, err;

	libbpf_set_print(quiet);
	object = bpf_object__open_file(BIN_DIR "/egress.bpf.o", NULL);
	if (!object) {
		*why = "the eBPF object";
		return -errno;
	}
	err = bpf_object__load(object);
	if (err) {
		*why = "loading the programs";
		return err;
	}
	for (int i = 0; i < M_COUNT; i++) {
		map_fds[i] = bpf_object__find_map_fd_by_name(object, map_names[i]);
		if (map_fds[i] < 0) {
			*why = map_names[i];
			return map_fds[i];
		}
	}
	cgroup = open(s->options.cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup < 0) {
		*why = "the cgroup";
		return -errno;
	}
	err = attach_all(cgroup, why);
	close(cgroup);
	return err;
}

static bool pinned; /* what is attached from now on outlives us too */

static int pin_link(const struct link_state *l)
{
	char path[128];

	snprintf(path, sizeof(path), BPF_DIR "/link_%s", l->name);
	unlink(path); /* of an interface that had this number before */
	return bpf_obj_pin(l->fd, path) ? -errno : 0;
}

int object_attach_tc(unsigned int ifindex)
{
	union bpf_attr attr = {};
	char name[48];
	int fd;

	links_prune();
	for (size_t i = 0; i < link_count; i++)
		if (links[i].ifindex == ifindex)
			return 0;
	attr.link_create.prog_fd = (uint32_t)tc_program;
	attr.link_create.target_fd = ifindex; /* target_ifindex shares the slot */
	attr.link_create.attach_type = TCX_EGRESS;
	fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	snprintf(name, sizeof(name), "tc_%u", ifindex);
	if (link_keep(fd, ifindex, name)) {
		close(fd);
		return -ENOSPC;
	}
	return pinned ? pin_link(&links[link_count - 1]) : 0;
}

/* Mode and policy are fixed from now on, for everybody: no write of user space is taken. */
static int freeze(void)
{
	static const enum map_index fixed[] = {M_CONFIG,    M_POLICY,  M_RULES,
					       M_RESOLVERS, M_CGROUPS, M_EXISTING};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		union bpf_attr attr = {};

		attr.map_fd = (uint32_t)map_fds[fixed[i]];
		if (syscall(SYS_bpf, BPF_MAP_FREEZE, &attr, sizeof(attr)))
			return -errno;
	}
	return 0;
}

const struct link_state *object_links(size_t *count, bool *is_pinned)
{
	*count = link_count;
	*is_pinned = pinned;
	return links;
}

int object_pin(void)
{
	char path[128];

	for (int i = 0; i < M_COUNT; i++) {
		snprintf(path, sizeof(path), BPF_DIR "/map_%s", map_names[i]);
		if (bpf_obj_pin(map_fds[i], path) && errno != EEXIST)
			return -errno;
	}
	for (size_t i = 0; i < link_count; i++) {
		int err = pin_link(&links[i]);

		if (err)
			return err;
	}
	pinned = true;
	snprintf(path, sizeof(path), BPF_DIR "/program_tc");
	if (bpf_obj_pin(tc_program, path) && errno != EEXIST)
		return -errno;
	snprintf(path, sizeof(path), BPF_DIR "/program_repeats");
	if (bpf_obj_pin(repeats_program, path) && errno != EEXIST)
		return -errno;
	return freeze();
}

static int reopen_links(void)
{
	char path[sizeof(BPF_DIR) + 256];
	struct dirent *entry;
	DIR *d = opendir(BPF_DIR);

	if (!d)
		return -errno;
	while ((entry = readdir(d))) {
		unsigned int ifindex;
		int fd;

		if (strncmp(entry->d_name, "link_", 5))
			continue;
		if (sscanf(entry->d_name, "link_tc_%u", &ifindex) != 1)
			ifindex = 0;
		snprintf(path, sizeof(path), BPF_DIR "/%s", entry->d_name);
		fd = bpf_obj_get(path);
		if (fd >= 0 && link_keep(fd, ifindex, entry->d_name + sizeof("link_") - 1))
			close(fd);
	}
	closedir(d);
	return 0;
}

int object_reopen(void)
{
	char path[128];

	for (int i = 0; i < M_COUNT; i++) {
		snprintf(path, sizeof(path), BPF_DIR "/map_%s", map_names[i]);
		map_fds[i] = bpf_obj_get(path);
		if (map_fds[i] < 0)
			return -errno;
	}
	tc_program = bpf_obj_get(BPF_DIR "/program_tc");
	repeats_program = bpf_obj_get(BPF_DIR "/program_repeats");
	if (tc_program < 0 || repeats_program < 0)
		return -errno;
	pinned = true;
	return reopen_links();
}

uint64_t counter_sum(uint32_t counter)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t values[1024] = {}, sum = 0;

	if (cpus < 1 || cpus > 1024 || bpf_map_lookup_elem(map_fds[M_COUNTERS], &counter, values))
		return 0;
	for (int i = 0; i < cpus; i++)
		sum += values[i];
	return sum;
}

void repeats_tell(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	/* what is not told now stays held, and is told the next time */
	bpf_prog_test_run_opts(repeats_program, &opts);
}
