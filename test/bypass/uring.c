// SPDX-License-Identifier: Apache-2.0
/*
 * uring OP TO PORT TEXT: sends TEXT by io_uring alone (io_uring_enter(2)), without the calls of
 * sockets. OP: connect, sendmsg, send_zc, sendmsg_zc, socket (made by the ring too).
 * With a second word "sqpoll" a thread of the kernel's submits, with "async" a worker does.
 * Says `sent`, or the errno; and its pid on stderr.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <sys/socket.h>

#include "ring.h"

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct io_uring_sqe e = {};
	struct iovec text;
	struct msghdr m = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &text, .msg_iovlen = 1};
	struct ring r = {};
	const char *op = argc > 4 ? argv[1] : "";
	int stream = !strcmp(op, "connect"), fd, res;

	if (argc < 5)
		return 2;
	fprintf(stderr, "%d\n", (int)getpid());
	ring_open(&r, argc > 5 && !strcmp(argv[5], "sqpoll") ? IORING_SETUP_SQPOLL : 0);
	if (argc > 5 && !strcmp(argv[5], "async"))
		r.sqe_flags = IOSQE_ASYNC;
	inet_pton(AF_INET, argv[2], &to.sin_addr);
	to.sin_port = htons((uint16_t)atoi(argv[3]));
	text = (struct iovec){argv[4], strlen(argv[4])};
	fd = socket(AF_INET, stream ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (!strcmp(op, "socket")) {
		close(fd);
		e = (struct io_uring_sqe){.opcode = IORING_OP_SOCKET, .fd = AF_INET, .off = SOCK_DGRAM};
		fd = ring_do(&r, &e);
	}
	if (fd < 0) {
		printf("errno %d\n", -fd);
		return 0;
	}
	e = (struct io_uring_sqe){.opcode = IORING_OP_SENDMSG, .fd = fd, .addr = (uintptr_t)&m, .len = 1};
	if (stream) {
		e = (struct io_uring_sqe){
			.opcode = IORING_OP_CONNECT, .fd = fd, .addr = (uintptr_t)&to, .off = sizeof(to)};
		res = ring_do(&r, &e);
		if (res < 0) {
			printf("errno %d\n", -res);
			return 0;
		}
		e = (struct io_uring_sqe){.opcode = IORING_OP_SEND,
					  .fd = fd,
					  .addr = (uintptr_t)argv[4],
					  .len = (unsigned int)text.iov_len};
	} else if (!strcmp(op, "send_zc")) {
		e = (struct io_uring_sqe){.opcode = IORING_OP_SEND_ZC,
					  .fd = fd,
					  .addr = (uintptr_t)argv[4],
					  .len = (unsigned int)text.iov_len,
					  .addr2 = (uintptr_t)&to,
					  .addr_len = sizeof(to)};
	} else if (!strcmp(op, "sendmsg_zc")) {
		e.opcode = IORING_OP_SENDMSG_ZC;
	}
	res = ring_do(&r, &e);
	if (res < 0)
		printf("errno %d\n", -res);
	else
		puts("sent");
	return 0;
}
