/* SPDX-License-Identifier: Apache-2.0 */
/* Every interface that leads off the machine gets its wall, and its line in the kernel's map of uplinks. */
#include <errno.h>
#include <stdint.h>

#include <bpf/bpf.h>

#include "findings.h"
#include "interfaces.h"
#include "maps.h"
#include "uplinks.h"
#include "wall.h"

static unsigned int told[INTERFACES_MAX]; /* reported as not covered */
static size_t told_count;

/* The kernel's map as it is of us. */
static struct line {
	uint32_t index, flags;
} written[INTERFACES_MAX];
static size_t written_count;

static struct line *written_of(uint32_t index)
{
	for (size_t i = 0; i < written_count; i++)
		if (written[i].index == index)
			return &written[i];
	return NULL;
}

/* Whether an interface is among those already reported; it is from now on. */
static bool is_told(unsigned int index)
{
	for (size_t i = 0; i < told_count; i++)
		if (told[i] == index)
			return true;
	if (told_count < INTERFACES_MAX)
		told[told_count++] = index;
	return false;
}

/*
 * Before its wall: that an interface leads off, whether the wall finds Ethernet on it or IP alone, and
 * whether it counts its bytes.
 */
static int tell_kind(const struct interface *i)
{
	uint32_t index = i->index, flags = 0;

	if (i->plain)
		flags |= LINK_PLAIN;
	if (interface_is_stacked(i))
		flags |= LINK_STACKED;
	if (bpf_map_update_elem(map_fds[M_UPLINKS], &index, &flags, BPF_ANY))
		return -errno;
	if (!written_of(index))
		written[written_count++].index = index;
	written_of(index)->flags = flags;
	return 0;
}

/* Numbers of interfaces that are gone, or lead off no more. */
static void forget_uplinks(void)
{
	for (size_t i = 0; i < written_count; i++)
		if (!network_leads_off(written[i].index)) {
			bpf_map_delete_elem(map_fds[M_UPLINKS], &written[i].index);
			written[i--] = written[--written_count];
		}
}

/* Puts a line of the map back to what we have written; 0 or -1. */
static int restore(uint32_t index)
{
	const struct line *was = written_of(index);

	return was ? bpf_map_update_elem(map_fds[M_UPLINKS], &index, &was->flags, BPF_ANY)
		   : bpf_map_delete_elem(map_fds[M_UPLINKS], &index);
}

void uplinks_check(void)
{
	uint32_t index, next, flags;
	bool more = !bpf_map_get_next_key(map_fds[M_UPLINKS], NULL, &next);

	while (more) {
		const struct line *was;

		index = next;
		more = !bpf_map_get_next_key(map_fds[M_UPLINKS], &index, &next);
		was = written_of(index);
		if (bpf_map_lookup_elem(map_fds[M_UPLINKS], &index, &flags) || (was && was->flags == flags))
			continue;
		if (restore(index))
			check_find(
				"somebody else has written an uplink's kind, which could not be put right");
		else
			check_happened("somebody else has written an uplink's kind; it is put right");
	}
}

void uplinks_reload(void)
{
	uint32_t *last = NULL;

	for (written_count = 0; written_count < INTERFACES_MAX; written_count++) {
		struct line *l = &written[written_count];

		if (bpf_map_get_next_key(map_fds[M_UPLINKS], last, &l->index) ||
		    bpf_map_lookup_elem(map_fds[M_UPLINKS], &l->index, &l->flags))
			return;
		last = &l->index;
	}
}

int uplinks_cover(network_report report)
{
	size_t count;
	const struct interface *interfaces = interfaces_all(&count);
	int first = 0;

	forget_uplinks();
	for (size_t i = 0; i < count; i++) {
		int err = 0;

		if (network_leads_off(interfaces[i].index)) {
			err = tell_kind(&interfaces[i]);
			if (!err)
				err = wall_attach(interfaces[i].index);
		}
		if (err == -ENODEV)
			continue; /* gone since the scan: its end is told by netlink */
		if (err && !is_told(interfaces[i].index))
			report(interfaces[i].name, err);
		if (!first)
			first = err;
	}
	return first;
}
