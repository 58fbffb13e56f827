// SPDX-License-Identifier: Apache-2.0
/*
 * uring OP TO PORT TEXT: sends TEXT by io_uring alone (io_uring_enter(2)), without the calls of
 * sockets. OP: connect, sendmsg, send_zc, sendmsg_zc, socket (made by the ring too).
 * With a second word "sqpoll" a thread of the kernel's submits, with "async" a worker does.
 * Says `sent`, or the errno; and its pid on stderr.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ring {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	unsigned int flags;
	unsigned char sqe_flags;
};

static void *map(struct ring *r, size_t size, off_t at)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, at);

	if (p == MAP_FAILED)
		exit(3);
	return p;
}

static void ring_open(struct ring *r, unsigned int flags)
{
	struct io_uring_params p = {.flags = flags, .sq_thread_idle = 1000};
	char *sq, *cq;

	r->flags = flags;
	r->fd = (int)syscall(SYS_io_uring_setup, 8, &p);
	if (r->fd < 0) {
		printf("no ring: %s\n", strerror(errno));
		exit(2);
	}
	sq = map(r, p.sq_off.array + p.sq_entries * sizeof(unsigned int), IORING_OFF_SQ_RING);
	cq = map(r, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	r->sqes = map(r, p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	r->sq_tail = (unsigned int *)(sq + p.sq_off.tail);
	r->sq_mask = (unsigned int *)(sq + p.sq_off.ring_mask);
	r->sq_array = (unsigned int *)(sq + p.sq_off.array);
	r->cq_head = (unsigned int *)(cq + p.cq_off.head);
	r->cq_tail = (unsigned int *)(cq + p.cq_off.tail);
	r->cq_mask = (unsigned int *)(cq + p.cq_off.ring_mask);
	r->cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
}

/* One operation, waited for; its result. */
static int ring_do(struct ring *r, const struct io_uring_sqe *what)
{
	unsigned int tail = *r->sq_tail, at = tail & *r->sq_mask, head;
	int res;

	r->sqes[at] = *what;
	r->sqes[at].flags |= r->sqe_flags;
	r->sq_array[at] = at;
	__atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1,
		    IORING_ENTER_GETEVENTS | (r->flags & IORING_SETUP_SQPOLL ? IORING_ENTER_SQ_WAKEUP : 0),
		    NULL, 0) < 0)
		return -errno;
	head = *r->cq_head;
	while (head == __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE))
		if (syscall(SYS_io_uring_enter, r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			return -errno;
	res = r->cqes[head & *r->cq_mask].res;
	__atomic_store_n(r->cq_head, head + 1, __ATOMIC_RELEASE);
	return res;
}

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
