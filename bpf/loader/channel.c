/* SPDX-License-Identifier: Apache-2.0 */
/* Frames to the daemon and from it; fails closed: a daemon that can't be spoken to is ended. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel.h"
#include "stream.h"

static int channel = -1;
static pid_t daemon_pid;
static unsigned char *input;
static size_t input_size;

int channel_prepare(void)
{
	free(input); /* a loader that has become the keeper starts one of its own */
	input = malloc(INPUT_MAX);
	return input ? 0 : -ENOMEM;
}

void channel_take(int fd, pid_t daemon)
{
	channel = fd;
	daemon_pid = daemon;
	input_size = 0;
}

bool channel_is_open(void)
{
	return channel >= 0;
}

int channel_fd(void)
{
	return channel;
}

pid_t channel_daemon(void)
{
	return daemon_pid;
}

void channel_break(void)
{
	kill(daemon_pid, SIGKILL);
}

void channel_close(void)
{
	if (channel >= 0)
		close(channel);
	channel = -1;
}

void channel_send(uint16_t type, uint16_t flags, uint32_t seq, const void *p, size_t size)
{
	if (channel >= 0 && frame_send(channel, type, flags, seq, p, size))
		channel_break();
}

ssize_t channel_read(frame_handler handle, int *code)
{
	ssize_t n = recv(channel, input + input_size, INPUT_MAX - input_size, 0);
	size_t at = 0;
	struct frame f;
	int state;

	if (n <= 0)
		return n; /* its end is told by SIGCHLD */
	input_size += (size_t)n;
	while ((state = frame_decode(input + at, input_size - at, &f)) == 0) {
		int failed = handle(&f, input + at + FRAME_HEADER);

		if (failed)
			*code = failed;
		at += FRAME_HEADER + f.length;
	}
	memmove(input, input + at, input_size - at);
	input_size -= at;
	if (state < 0 || input_size == INPUT_MAX)
		channel_break();
	return n;
}

void channel_drain(void)
{
	if (channel >= 0 && stream_drain(channel))
		channel_break();
}
