// SPDX-License-Identifier: Apache-2.0
/*
 * families WAY NUMBER: asks for a raw socket of a family (a stream, of AF_VSOCK) and lets go of it. WAY: call; int80
 * and socketcall, as 32-bit programs do (x86 takes int $0x80 of 64-bit ones too); ring, by io_uring.
 * families option FD: PACKET_QDISC_BYPASS of a packet socket, as a 32-bit program sets it.
 * Says `made`, or the errno; and its pid on stderr.
 */
#include <sys/socket.h>

#include "ring.h"

#define I386_SETSOCKOPT 366
#define I386_SOCKET 359
#define I386_SOCKETCALL 102
#define SYS_SOCKET 1

static long int80(long number, long a, long b, long c, long d, long e)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

/* Memory that 32 bits can tell the place of. */
static int *low_memory(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (p == MAP_FAILED)
		exit(3);
	return p;
}

static long by_ring(int family, int type)
{
	struct io_uring_sqe e = {.opcode = IORING_OP_SOCKET, .fd = family, .off = (unsigned int)type};
	struct ring r = {};

	ring_open(&r, 0);
	return ring_do(&r, &e);
}

static long by_socketcall(int family, int type)
{
	int *arguments = low_memory();

	arguments[0] = family;
	arguments[1] = type;
	arguments[2] = 0;
	return int80(I386_SOCKETCALL, SYS_SOCKET, (long)arguments, 0, 0, 0);
}

static long set_option(int fd)
{
	int *one = low_memory();

	*one = 1;
	return int80(I386_SETSOCKOPT, fd, 263, 20, (long)one, sizeof(*one));
}

int main(int argc, char **argv)
{
	const char *way = argc == 3 ? argv[1] : "";
	int number = argc == 3 ? atoi(argv[2]) : 0, type = number == AF_VSOCK ? SOCK_STREAM : SOCK_RAW;
	long result = -EINVAL;

	fprintf(stderr, "%d\n", (int)getpid());
	if (!strcmp(way, "call"))
		result = socket(number, type, 0) < 0 ? -errno : 0;
	else if (!strcmp(way, "int80"))
		result = int80(I386_SOCKET, number, type, 0, 0, 0);
	else if (!strcmp(way, "socketcall"))
		result = by_socketcall(number, type);
	else if (!strcmp(way, "ring"))
		result = by_ring(number, type);
	else if (!strcmp(way, "option"))
		result = set_option(number);
	if (result < 0)
		printf("errno %ld\n", -result);
	else
		puts("made");
	return 0;
}
