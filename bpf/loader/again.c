/* SPDX-License-Identifier: Apache-2.0 */
/* The program of the loopback interface that gives a reply again; see bpf/again.bpf.h. */
#include <errno.h>
#include <unistd.h>

#include "again.h"
#include "links.h"
#include "object.h"
#include "tcx.h"

static bool is_attached(void)
{
	size_t count;
	const struct link_state *links = links_all(&count);

	for (size_t i = 0; i < count; i++)
		if (links[i].kind == LINK_LOOPBACK)
			return true;
	return false;
}

int again_attach(void)
{
	int fd, err;

	if (is_attached())
		return 0;
	fd = tcx_attach_loopback(object_program(PROGRAM_AGAIN));
	if (fd < 0)
		return fd == -EINVAL ? 0 : fd;
	err = link_keep(fd, -1, 0, LINK_PREFIX "egress_again");
	if (err)
		close(fd);
	return err;
}
