/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names SERVER SUFFIX COUNT NAMES [PROCESSES]: each process asks COUNT questions for NAMES names below
 * SUFFIX in turn, 32 on their way at once, or 2 of each of several processes, so that no buffer is ever
 * full. Prints how many were asked, how many were answered REFUSED,
 * and how many seconds it took.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct sums {
	long asked, refused;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A question for nN.SUFFIX; its size. */
static size_t question(unsigned char *q, long id, const char *suffix, long n)
{
	char whole[256];
	size_t at = 12;

	snprintf(whole, sizeof(whole), "n%ld.%s", n, suffix);
	memset(q, 0, 12);
	q[0] = (unsigned char)(id >> 8);
	q[1] = (unsigned char)id;
	q[2] = 1; /* recursion desired */
	q[5] = 1;
	for (char *label = strtok(whole, "."); label; label = strtok(NULL, ".")) {
		size_t size = strlen(label);

		q[at++] = (unsigned char)size;
		memcpy(q + at, label, size);
		at += size;
	}
	memcpy(q + at, "\0\0\1\0\1", 5);
	return at + 5;
}

static void flood(const struct sockaddr_in *to, char **argv, long first, long window, struct sums *sums)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	long count = atol(argv[3]), names = atol(argv[4]), sent = 0, got = 0;
	struct timeval limit = {.tv_sec = 5};
	unsigned char q[300], answer[1500];

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (const void *)to, sizeof(*to)))
		return;
	while (got < count) {
		for (; sent < count && sent - got < window; sent++) {
			size_t size = question(q, sent, argv[2], first + sent % names);

			if (send(fd, q, size, 0) < 0)
				return;
			__sync_fetch_and_add(&sums->asked, 1);
		}
		if (recv(fd, answer, sizeof(answer), 0) < 12)
			return; /* it says itself that an answer is missing */
		got++;
		if ((answer[3] & 15) == 5)
			__sync_fetch_and_add(&sums->refused, 1);
	}
}

int main(int argc, char **argv)
{
	struct sums *sums = mmap(NULL, sizeof(*sums), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
	double start = now();
	long processes, window;

	if (argc < 5 || sums == MAP_FAILED || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
		fprintf(stderr, "names SERVER SUFFIX COUNT NAMES [PROCESSES]\n");
		return 2;
	}
	processes = argc > 5 ? atol(argv[5]) : 1;
	window = processes > 1 ? 2 : 32;
	for (long i = 1; i < processes; i++) {
		if (!fork()) {
			flood(&to, argv, i * atol(argv[4]), window, sums);
			_exit(0);
		}
	}
	flood(&to, argv, 0, window, sums);
	while (wait(NULL) > 0)
		;
	printf("%ld %ld %.2f\n", sums->asked, sums->refused, now() - start);
	return 0;
}
