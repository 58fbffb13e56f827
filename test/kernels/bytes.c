/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes sent: what the stand-in daemon's log says of them, and whether each is counted once. */
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

/* The last line of the log about bytes sent; 0, or -1 when open sockets could not be asked. */
static int bytes_sent(unsigned long long *bytes)
{
	char line[4096];
	FILE *f = fopen(LOG, "re");
	int status = 0;

	while (f && fgets(line, sizeof(line), f))
		(void)sscanf(line, "traffic %d %llu", &status, bytes);
	if (f)
		fclose(f);
	return status;
}

/* Waits until the bytes sent are as many; the log tells them once a second. */
static bool await_bytes(unsigned long long wanted)
{
	unsigned long long bytes = 0;

	for (time_t since = time(NULL); bytes != wanted; usleep(20000))
		if (bytes_sent(&bytes))
			return fails("open sockets could not be asked");
		else if (is_over(since))
			return fails("another number of bytes");
	return true;
}

bool bytes_are_counted(void)
{
	static const char text[77] = {'x'};
	unsigned long long before = 0, again;
	struct sockaddr_storage a;
	socklen_t size = address_of(&a, ALLOWED6, 9);
	int fd = socket(a.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* two lines that say the same: what was sent until now is told */
	do {
		again = before;
		sleep(3); /* nobody tells that there is nothing more to tell */
		bytes_sent(&before);
	} while (!before || before != again);
	for (int i = 0; i < 10; i++)
		if (sendto(fd, text, sizeof(text), 0, (void *)&a, size) != sizeof(text))
			return fails("not sent");
	if (!await_bytes(before + 10 * sizeof(text)))
		return false;
	close(fd);
	return !whole_frame(ALLOWED4, "counted!") && await_bytes(before + 10 * sizeof(text) + 8);
}
