/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connect rate ADDRESS PORT MS: connections opened and closed a second.
 * connect bulk ADDRESS PORT MS: gigabits a second of one connection.
 * connect refused ADDRESS PORT COUNT: microseconds from call to error, median and p99.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* 0, or the errno of a connect; the close resets, so that ports come back at once. */
static int once(const struct sockaddr_in *to)
{
	struct linger reset = {1, 0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), err = 0;

	if (connect(fd, (const void *)to, sizeof(*to)))
		err = errno;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	return err;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int rate(const struct sockaddr_in *to, double limit_us)
{
	double start = now_us();
	long count = 0;

	while (now_us() - start < limit_us) {
		int err = once(to);

		if (err) {
			fprintf(stderr, "connect: %s\n", strerror(err));
			return 1;
		}
		count++;
	}
	printf("%.0f\n", (double)count / ((now_us() - start) / 1e6));
	return 0;
}

static int refused(const struct sockaddr_in *to, int count)
{
	double *took = calloc((size_t)count, sizeof(*took));

	for (int i = 0; took && i < count; i++) {
		double start = now_us();

		if (once(to) != EPERM) {
			fprintf(stderr, "not refused\n");
			return 1;
		}
		took[i] = now_us() - start;
	}
	if (!took)
		return 1;
	qsort(took, (size_t)count, sizeof(*took), by_size);
	printf("%.1f %.1f\n", took[count / 2], took[count * 99 / 100]);
	free(took);
	return 0;
}

static int bulk(const struct sockaddr_in *to, double ms)
{
	static char block[1 << 16];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	double start = now_us(), sent = 0;

	if (connect(fd, (const void *)to, sizeof(*to)))
		return 1;
	while (now_us() - start < ms * 1e3) {
		ssize_t n = send(fd, block, sizeof(block), MSG_NOSIGNAL);

		if (n < 0)
			return 1;
		sent += (double)n;
	}
	printf("%.2f\n", sent * 8 / (now_us() - start) / 1e3);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};

	if (argc != 5 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
		return 2;
	to.sin_port = htons((unsigned short)atoi(argv[3]));
	if (!strcmp(argv[1], "rate"))
		return rate(&to, atof(argv[4]) * 1e3);
	if (!strcmp(argv[1], "bulk"))
		return bulk(&to, atof(argv[4]));
	return refused(&to, atoi(argv[4]));
}
