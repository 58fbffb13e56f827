/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of others that reach ours without a hook of ours: by a map, by standing in a function of a program
 * (freplace), or by XDP with a map of devices, whose frames pass no wall. Each is looked at once: numbers of
 * programs and links only grow.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "findings.h"
#include "links.h"
#include "object.h"
#include "strangers.h"

#define PROGRAMS_MAX 64
#define MAPS_MAX 64
#define FINDING_MAX 160

/* A program and the maps it uses. */
struct program {
	struct bpf_prog_info info;
	uint32_t maps[MAPS_MAX];
};

static uint32_t own_programs[PROGRAMS_MAX], own_maps[MAPS_MAX];
static size_t own_program_count, own_map_count;
static uint32_t last_program, last_link; /* the latest ones looked at */

static bool is_among(uint32_t id, const uint32_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ids[i] == id)
			return true;
	return false;
}

static bool program_read(int fd, struct program *p)
{
	uint32_t size = sizeof(p->info);

	memset(p, 0, sizeof(*p));
	p->info.map_ids = (uint64_t)(uintptr_t)p->maps;
	p->info.nr_map_ids = MAPS_MAX;
	if (bpf_obj_get_info_by_fd(fd, &p->info, &size))
		return false;
	if (p->info.nr_map_ids > MAPS_MAX)
		p->info.nr_map_ids = MAPS_MAX;
	return true;
}

static void own_add(int fd)
{
	struct program p;

	if (fd < 0 || !program_read(fd, &p) || own_program_count == PROGRAMS_MAX)
		return;
	if (!is_among(p.info.id, own_programs, own_program_count))
		own_programs[own_program_count++] = p.info.id;
	for (uint32_t i = 0; i < p.info.nr_map_ids && own_map_count < MAPS_MAX; i++)
		if (!is_among(p.maps[i], own_maps, own_map_count))
			own_maps[own_map_count++] = p.maps[i];
}

static void own_learn(void)
{
	size_t count;
	const struct link_state *links = links_all(&count);

	for (size_t i = 0; i < count; i++)
		own_add(links[i].program_fd);
	for (int i = 0; i < PROGRAM_COUNT; i++)
		own_add(object_program((enum own_program)i));
}

static bool is_map_of_devices(uint32_t id)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);
	int fd = bpf_map_get_fd_by_id(id);
	bool is = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) &&
		  (info.type == BPF_MAP_TYPE_DEVMAP || info.type == BPF_MAP_TYPE_DEVMAP_HASH);

	if (fd >= 0)
		close(fd);
	return is;
}

static void look_at_program(int fd)
{
	struct program p;
	char finding[FINDING_MAX];

	if (!program_read(fd, &p) || is_among(p.info.id, own_programs, own_program_count))
		return;
	for (uint32_t i = 0; i < p.info.nr_map_ids; i++) {
		if (is_among(p.maps[i], own_maps, own_map_count)) {
			snprintf(finding, sizeof(finding),
				 "a program of somebody else uses a map of the wall");
			check_happened(finding);
			return;
		}
		if (p.info.type == BPF_PROG_TYPE_XDP && is_map_of_devices(p.maps[i])) {
			check_happened("an XDP program of somebody else has a map of devices: what it passes "
				       "on meets no wall");
			return;
		}
	}
}

static void look_at_link(int fd)
{
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);

	if (!bpf_obj_get_info_by_fd(fd, &info, &size) && info.type == BPF_LINK_TYPE_TRACING &&
	    is_among(info.tracing.target_obj_id, own_programs, own_program_count))
		check_happened("a program of somebody else stands in a program of the wall");
}

void strangers_check(void)
{
	uint32_t id;
	int fd;

	if (!own_program_count)
		own_learn();
	while (!bpf_prog_get_next_id(last_program, &id)) {
		last_program = id;
		fd = bpf_prog_get_fd_by_id(id);
		if (fd < 0)
			continue; /* it has ended since */
		look_at_program(fd);
		close(fd);
	}
	while (!bpf_link_get_next_id(last_link, &id)) {
		last_link = id;
		fd = bpf_link_get_fd_by_id(id);
		if (fd < 0)
			continue;
		look_at_link(fd);
		close(fd);
	}
}
