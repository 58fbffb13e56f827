/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes sent, by destination: what open sockets hold is told first, then all totals are read. */
#include "traffic.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "maps.h"
#include "object.h"

#define ROW (sizeof(struct traffic_key) + sizeof(struct traffic_value))

/* Has an iterator visit every socket of its kind in this network namespace, the machine's. */
static int visit(int program)
{
	int link = bpf_link_create(program, 0, BPF_TRACE_ITER, NULL);
	int err = link < 0 ? -errno : 0, fd = -1;
	char nothing[64];
	ssize_t n = 0;

	if (!err) {
		fd = bpf_iter_create(link);
		err = fd < 0 ? -errno : 0;
	}
	while (!err && (n = read(fd, nothing, sizeof(nothing))) != 0)
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			err = -errno;
	if (fd >= 0)
		close(fd);
	if (link >= 0)
		close(link);
	return err;
}

unsigned char *traffic_read(size_t *size)
{
	int32_t status = visit(object_program(PROGRAM_OPEN_TCP));
	struct traffic_key key, *last = NULL;
	unsigned char *all;
	size_t at = sizeof(status);

	if (!status)
		status = visit(object_program(PROGRAM_OPEN_UDP));
	all = malloc(sizeof(status) + TRAFFIC_MAX * ROW);
	if (!all)
		return NULL;
	memcpy(all, &status, sizeof(status));
	for (size_t i = 0; i < TRAFFIC_MAX && !bpf_map_get_next_key(map_fds[M_TRAFFIC], last, &key); i++) {
		struct traffic_value value;

		last = &key;
		if (bpf_map_lookup_elem(map_fds[M_TRAFFIC], &key, &value))
			continue;
		memcpy(all + at, &key, sizeof(key));
		memcpy(all + at + sizeof(key), &value, sizeof(value));
		at += ROW;
	}
	*size = at;
	return all;
}
