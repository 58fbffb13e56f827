/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

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

int frame_send(int fd, uint16_t type, uint16_t flags, uint32_t seq, const void *p, size_t size)
{
	unsigned char h[FRAME_HEADER];
	struct iovec parts[2] = {{h, sizeof(h)}, {(void *)p, size}};
	struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
	uint32_t length = (uint32_t)size;

	memcpy(h, &length, 4);
	memcpy(h + 4, &type, 2);
	memcpy(h + 6, &flags, 2);
	memcpy(h + 8, &seq, 4);
	while (parts[0].iov_len + parts[1].iov_len) {
		ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd w = {fd, POLLOUT, 0};

			if (poll(&w, 1, 2000) != 1)
				return -ETIMEDOUT;
			continue;
		}
		if (n < 0)
			return -errno;
		for (int i = 0; i < 2; i++) {
			size_t part = (size_t)n < parts[i].iov_len ? (size_t)n : parts[i].iov_len;

			parts[i].iov_base = (unsigned char *)parts[i].iov_base + part;
			parts[i].iov_len -= part;
			n -= (ssize_t)part;
		}
	}
	return 0;
}
