/* SPDX-License-Identifier: Apache-2.0 */
/* The eBPF object: load, attach by links, pin after the proof, reopen after a restart. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "clsact.h"
#include "families.h"
#include "findings.h"
#include "links.h"
#include "maps.h"
#include "object.h"
#include "paths.h"
#include "pins.h"
#include "tally.h"

static struct bpf_object *object;
static int own_programs[PROGRAM_COUNT] = {-1, -1, -1, -1, -1, -1};
static const char *const own_names[PROGRAM_COUNT] = {"tc", "again", "dns", "repeats", "open_tcp", "open_udp"};
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

		if (take_own(prog) || !bpf_program__autoload(prog))
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
	families_prepare(object);
	err = bpf_object__load(object);
	if (err) {
		*why = "loading the programs";
		return err;
	}
	err = maps_find(object, why);
	if (err)
		return err;
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

bool object_is_pinned(void)
{
	return pinned;
}

/* Visits what is pinned beside the links, by its file. */
static int each_pin(int (*visit)(int fd, const char *pin, void *arg), void *arg)
{
	char name[48];
	int err = 0;

	for (int i = 0; i < PROGRAM_COUNT && !err; i++) {
		snprintf(name, sizeof(name), "program_%s", own_names[i]);
		err = visit(own_programs[i], name, arg);
	}
	return err ? err : maps_each(visit, arg);
}

static int make_pin(int fd, const char *pin, void *arg)
{
	(void)arg;
	return pin_make(fd, pin);
}

int object_pin(void)
{
	size_t count;
	struct link_state *links = links_all(&count);
	int err = each_pin(make_pin, NULL);

	for (size_t i = 0; i < count && !err; i++)
		err = link_pin(&links[i]);
	if (err)
		return err;
	pinned = true;
	return maps_freeze(object);
}

static int check_pin(int fd, const char *pin, void *arg)
{
	const pin_lost *lost = arg;

	if (!pin_stands(fd, pin))
		(*lost)(pin, pin_make(fd, pin));
	return 0;
}

void object_check_pins(pin_lost lost)
{
	each_pin(check_pin, &lost);
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
		"egress_connect4",   "egress_connect6",	   "egress_sendmsg4",	  "egress_sendmsg6",
		"egress_recvmsg4",   "egress_recvmsg6",	   "egress_getpeername4", "egress_getpeername6",
		"egress_skb",	     "egress_sock_create", "egress_sock_release", "egress_fork",
		"egress_exec",	     "egress_exit",	   "egress_arrive",	  "egress_socket",
		"egress_setsockopt", "egress_device",	   "egress_syscall",	  "egress_ring",
	};
	DIR *d = opendir(BPF_DIR);
	struct dirent *entry;

	if (!d)
		return -errno;
	links_forget_all(); /* of the loader this one goes on from (keeper.c: watch) */
	while ((entry = readdir(d)))
		(void)reopen_link(entry->d_name);
	closedir(d);
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		char finding[128];

		if (is_kept(programs[i]) || !families_have(programs[i]))
			continue;
		snprintf(finding, sizeof(finding),
			 "the program %s has ended with its pin while the loader was away, and could not be "
			 "put right",
			 programs[i]);
		check_happened(finding);
	}
	return 0;
}

int object_reopen(void)
{
	char path[128];
	int err = maps_reopen();

	if (err)
		return err;
	for (int i = 0; i < PROGRAM_COUNT; i++) {
		snprintf(path, sizeof(path), BPF_DIR "/program_%s", own_names[i]);
		own_programs[i] = bpf_obj_get(path);
		if (own_programs[i] < 0)
			return -errno;
	}
	pinned = true;
	tally_begin();
	err = reopen_links();
	links_missed();
	return err;
}

void repeats_tell(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	/* what is not told now stays held, and is told the next time */
	bpf_prog_test_run_opts(own_programs[PROGRAM_REPEATS], &opts);
}
