/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns serve ADDRESS PORT: answers every question with one A record of TTL 0, or of a minute when the
 *   name begins with "kept".
 * dns same SERVER PORT NAME COUNT: microseconds of a question, median and p99, one name.
 * dns fresh SERVER PORT SUFFIX COUNT: the same, a new name below SUFFIX each time.
 * dns rate SERVER PORT SUFFIX MS: answers a second, new names, 64 questions on their way.
 * dns held SERVER PORT SUFFIX MS: the same, of 100 names whose answers may be held.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WINDOW 64
#define HELD 100

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* A question for NAME, or for N.NAME when n >= 0; its size. */
static size_t question(unsigned char *q, unsigned int id, const char *name, long n)
{
	char whole[256];
	size_t at = 12;

	if (n >= 0)
		snprintf(whole, sizeof(whole), "n%ld.%s", n, name);
	else
		snprintf(whole, sizeof(whole), "%s", name);
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

static int serve(const struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (const void *)at, sizeof(*at)))
		return 1;
	puts("ready");
	fflush(stdout);
	for (;;) {
		unsigned char m[600];
		struct sockaddr_in from;
		socklen_t size = sizeof(from);
		ssize_t n = recvfrom(fd, m, 500, 0, (void *)&from, &size);
		unsigned int sum = 0;
		size_t end = 12;

		if (n < 17)
			continue;
		while (end < (size_t)n && m[end]) {
			for (unsigned int i = 1; i <= m[end]; i++)
				sum = sum * 31 + m[end + i];
			end += m[end] + 1u;
		}
		end += 5;
		m[2] |= 0x80;
		m[3] = 0x80;
		m[7] = 1;
		m[10] = m[11] = 0; /* the rest, an OPT, is left out */
		memcpy(m + end, "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x2c", 13);
		if (!memcmp(m + 13, "kept", 4))
			m[end + 9] = 60;
		m[end + 13] = (unsigned char)(sum >> 16);
		m[end + 14] = (unsigned char)(sum >> 8);
		m[end + 15] = (unsigned char)sum;
		sendto(fd, m, end + 16, 0, (void *)&from, size);
	}
}

static int measure(const struct sockaddr_in *to, const char *name, long count, int fresh)
{
	double *took = calloc((size_t)count, sizeof(*took));
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct timeval limit = {.tv_sec = 2};
	unsigned char q[300], answer[1500];

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (!took || connect(fd, (const void *)to, sizeof(*to)))
		return 1;
	for (long i = 0; i < count; i++) {
		size_t size = question(q, (unsigned int)i & 0xffff, name, fresh ? i : -1);
		double start = now_us();

		if (send(fd, q, size, 0) < 0 || recv(fd, answer, sizeof(answer), 0) < 12 || answer[7] != 1)
			return 1;
		took[i] = now_us() - start;
	}
	qsort(took, (size_t)count, sizeof(*took), by_size);
	printf("%.1f %.1f\n", took[count / 2], took[count * 99 / 100]);
	return 0;
}

/* The next question, for a name nobody has asked for or for one of HELD. */
static size_t next(unsigned char *q, long *asked, const char *name, int held)
{
	char kept[200];
	long n = (*asked)++;

	if (!held)
		return question(q, (unsigned int)n & 0xffff, name, n);
	snprintf(kept, sizeof(kept), "kept%ld.%s", n % HELD, name);
	return question(q, (unsigned int)n & 0xffff, kept, -1);
}

static int rate(const struct sockaddr_in *to, const char *name, double ms, int held)
{
	double start = now_us(), end = start + ms * 1e3;
	struct pollfd p[WINDOW];
	unsigned char q[300], answer[1500];
	long asked = 1000000, answered = 0;

	for (int i = 0; i < WINDOW; i++) {
		p[i] = (struct pollfd){socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), POLLIN, 0};
		if (connect(p[i].fd, (const void *)to, sizeof(*to)))
			return 1;
		(void)!send(p[i].fd, q, next(q, &asked, name, held), 0);
	}
	while (now_us() < end) {
		if (poll(p, WINDOW, 1000) <= 0)
			return 1;
		for (int i = 0; i < WINDOW; i++) {
			if (!p[i].revents)
				continue;
			if (recv(p[i].fd, answer, sizeof(answer), 0) >= 12 && answer[7] == 1)
				answered++;
			(void)!send(p[i].fd, q, next(q, &asked, name, held), 0);
		}
	}
	printf("%.0f\n", (double)answered / (now_us() - start) * 1e6);
	return answered ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET};

	if (argc < 4)
		return 2;
	inet_pton(AF_INET, argv[2], &at.sin_addr);
	at.sin_port = htons((uint16_t)atoi(argv[3]));
	if (!strcmp(argv[1], "serve"))
		return serve(&at);
	if (argc < 6)
		return 2;
	if (!strcmp(argv[1], "rate") || !strcmp(argv[1], "held"))
		return rate(&at, argv[4], atof(argv[5]), !strcmp(argv[1], "held"));
	return measure(&at, argv[4], atol(argv[5]), !strcmp(argv[1], "fresh"));
}
