/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

int frame_decode(const unsigned char *p, size_t size, struct frame *f)
{
	if (size < FRAME_HEADER)
		return 1;
	memcpy(&f->length, p, 4);
	memcpy(&f->type, p + 4, 2);
	memcpy(&f->flags, p + 6, 2);
	memcpy(&f->seq, p + 8, 4);
	if (f->length > FRAME_MAX)
		return -1;
	return size - FRAME_HEADER < f->length ? 1 : 0;
}

static int send_all(int fd, const unsigned char *p, size_t size)
{
	while (size) {
		ssize_t n = send(fd, p, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd w = {fd, POLLOUT, 0};

			if (poll(&w, 1, 2000) != 1)
				return -ETIMEDOUT;
			continue;
		}
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int frame_send(int fd, uint16_t type, uint16_t flags, uint32_t seq, const void *p, size_t size)
{
	unsigned char h[FRAME_HEADER];
	uint32_t length = (uint32_t)size;
	int err;

	memcpy(h, &length, 4);
	memcpy(h + 4, &type, 2);
	memcpy(h + 6, &flags, 2);
	memcpy(h + 8, &seq, 4);
	err = send_all(fd, h, sizeof(h));
	return err ? err : send_all(fd, p, size);
}
