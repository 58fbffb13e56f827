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

#include "check.h"
#include "links.h"

int map_fds[M_COUNT];
static const char *const map_names[M_COUNT] = {
	"config",	 "heartbeat",	"policy",   "rules",   "grants",   "locals",	 "resolvers",
	"processes",	 "cgroups",	"existing", "flows",   "owners",   "counters",	 "events",
	"dns_addresses", "dns_sockets", "uplinks",  "traffic", "arrivals", "identities", "former",
};

static struct bpf_object *object;
static int own_programs[PROGRAM_COUNT] = {-1, -1, -1, -1, -1};
static const char *const own_names[PROGRAM_COUNT] = {"tc", "dns", "repeats", "open_tcp", "open_udp"};
static bool pinned; /* what is attached from now on outlives us too */

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

/* Takes a program that is attached to nothing at the start; false: it is none of those. */
static bool take_own(const struct bpf_program *prog)
{
	const char *name = bpf_program__name(prog) + sizeof("egress_") - 1;

	for (int i = 0; i < PROGRAM_COUNT; i++)
		if (!strcmp(name, own_names[i])) {
			own_programs[i] = bpf_program__fd(prog);
			return true;
		}
	return false;
}

static int attach_all(int cgroup, const char **why)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, object)
	{
		const char *name = bpf_program__name(prog);
		struct bpf_link *link;
		char file[48];
		int err;

		if (take_own(prog))
			continue;
		if (bpf_program__type(prog) == BPF_PROG_TYPE_TRACING)
			link = bpf_program__attach(prog);
		else
			link = bpf_program__attach_cgroup(prog, cgroup);
		if (!link) {
			*why = name;
			return -errno;
		}
		snprintf(file, sizeof(file), LINK_PREFIX "%s", name);
		err = link_keep(bpf_link__fd(link), -1, 0, file);
		if (err)
			return err;
	}
	return 0;
}

int object_load(const struct session *s, const char **why)
{
	int cgroup, err;

	clsact_clear(); /* of a start whose processes were all killed */
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

int object_program(enum own_program program)
{
	return own_programs[program];
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

bool object_is_pinned(void)
{
	return pinned;
}

/* Visits what is pinned beside the links, by its file. */
static int each_pin(int (*visit)(int fd, const char *name))
{
	char name[48];
	int err = 0;

	for (int i = 0; i < PROGRAM_COUNT && !err; i++) {
		snprintf(name, sizeof(name), "program_%s", own_names[i]);
		if (i != PROGRAM_DNS) /* its sockets hold it */
			err = visit(own_programs[i], name);
	}
	for (int i = 0; i < M_COUNT && !err; i++) {
		snprintf(name, sizeof(name), "map_%s", map_names[i]);
		err = visit(map_fds[i], name);
	}
	return err;
}

int object_pin(void)
{
	size_t count;
	struct link_state *links = links_all(&count);
	int err = each_pin(pin_make);

	for (size_t i = 0; i < count && !err; i++)
		err = link_pin(&links[i]);
	if (err)
		return err;
	pinned = true;
	return freeze();
}

static int check_pin(int fd, const char *name)
{
	if (!pin_stands(fd, name))
		check_pin_lost(name, pin_make(fd, name));
	return 0;
}

void object_check_pins(void)
{
	each_pin(check_pin);
}

static int reopen_link(const char *name)
{
	bool is_filter = !strncmp(name, FILTER_PREFIX, sizeof(FILTER_PREFIX) - 1);
	unsigned int ifindex = 0;
	char path[128];
	int fd, err;

	if (!is_filter && strncmp(name, LINK_PREFIX, sizeof(LINK_PREFIX) - 1))
		return 0;
	(void)sscanf(name, is_filter ? FILTER_PREFIX "%u" : LINK_PREFIX "tc_%u", &ifindex);
	snprintf(path, sizeof(path), BPF_DIR "/%.48s", name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	err = link_keep(is_filter ? -1 : fd, is_filter ? fd : -1, ifindex, name);
	if (err)
		close(fd);
	return err;
}

static bool is_kept(const char *program)
{
	size_t count;
	const struct link_state *links = links_all(&count);

	for (size_t i = 0; i < count; i++)
		if (!strcmp(links[i].name + sizeof(LINK_PREFIX) - 1, program))
			return true;
	return false;
}

/* Every link that can be had. One whose pin went while nobody held it has ended: that is said. */
static int reopen_links(void)
{
	static const char *const programs[] = {
		"egress_connect4", "egress_connect6",	 "egress_sendmsg4",	"egress_sendmsg6",
		"egress_recvmsg4", "egress_recvmsg6",	 "egress_getpeername4", "egress_getpeername6",
		"egress_skb",	   "egress_sock_create", "egress_sock_release", "egress_fork",
		"egress_exec",	   "egress_exit",	 "egress_arrive",
	};
	DIR *d = opendir(BPF_DIR);
	struct dirent *entry;

	if (!d)
		return -errno;
	links_forget_all(); /* of the loader this one goes on from (main.c: watch) */
	while ((entry = readdir(d)))
		(void)reopen_link(entry->d_name);
	closedir(d);
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		char finding[128];

		if (is_kept(programs[i]))
			continue;
		snprintf(finding, sizeof(finding),
			 "the program %s has ended with its pin while the loader was away, and could not be "
			 "put right",
			 programs[i]);
		check_happened(finding);
	}
	wall_is_coming_back = true;
	return 0;
}

int object_reopen(void)
{
	char path[128];
	int err;

	for (int i = 0; i < M_COUNT; i++) {
		snprintf(path, sizeof(path), BPF_DIR "/map_%s", map_names[i]);
		map_fds[i] = bpf_obj_get(path);
		if (map_fds[i] < 0)
			return -errno;
	}
	for (int i = 0; i < PROGRAM_COUNT; i++) {
		if (i == PROGRAM_DNS)
			continue;
		snprintf(path, sizeof(path), BPF_DIR "/program_%s", own_names[i]);
		own_programs[i] = bpf_obj_get(path);
		if (own_programs[i] < 0)
			return -errno;
	}
	pinned = true;
	err = reopen_links();
	network_missed();
	return err;
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
	bpf_prog_test_run_opts(own_programs[PROGRAM_REPEATS], &opts);
}
