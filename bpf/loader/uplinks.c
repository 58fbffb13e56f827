/* SPDX-License-Identifier: Apache-2.0 */
/* Every interface that leads off the machine gets its wall, and its line in the kernel's map of uplinks. */
#include <errno.h>
#include <stdint.h>

#include <bpf/bpf.h>

#include "interfaces.h"
#include "maps.h"
#include "uplinks.h"
#include "wall.h"

static unsigned int told[INTERFACES_MAX]; /* reported as not covered */
static size_t told_count;

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
	return bpf_map_update_elem(map_fds[M_UPLINKS], &index, &flags, BPF_ANY) ? -errno : 0;
}

/* Numbers of interfaces that are gone, or lead off no more. */
static void forget_uplinks(void)
{
	uint32_t index, next;
	bool more = !bpf_map_get_next_key(map_fds[M_UPLINKS], NULL, &next);

	while (more) {
		index = next;
		more = !bpf_map_get_next_key(map_fds[M_UPLINKS], &index, &next);
		if (!network_leads_off(index))
			bpf_map_delete_elem(map_fds[M_UPLINKS], &index);
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
