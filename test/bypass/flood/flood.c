/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flood ADDRESS PORT RATE SECONDS [PORTS]: datagrams a second without a connect, in bursts of a millisecond,
 * to one port or to PORTS of them in turn. Prints how many calls were made, how many were refused, and how many seconds it took.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	const struct timespec pause = {.tv_nsec = 500000};
	long made = 0, refused = 0;
	unsigned short port;
	double rate, seconds, start;
	long ports;
	int fd;

	if (argc < 5 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
		fprintf(stderr, "flood ADDRESS PORT RATE SECONDS [PORTS]\n");
		return 2;
	}
	port = (unsigned short)atoi(argv[2]);
	ports = argc > 5 ? atol(argv[5]) : 1;
	rate = atof(argv[3]);
	seconds = atof(argv[4]);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	start = now();
	for (double at = 0; at < seconds; at = now() - start) {
		for (long due = (long)(at * rate); made < due; made++) {
			to.sin_port = htons((unsigned short)(port + made % ports));
			refused += sendto(fd, "flood", 5, 0, (const void *)&to, sizeof(to)) < 0 &&
				   errno == EPERM;
		}
		nanosleep(&pause, NULL);
	}
	printf("%ld %ld %.2f\n", made, refused, now() - start);
	return 0;
}
