/* SPDX-License-Identifier: Apache-2.0 */
/* What goes to main and comes from it; nobody reads or writes here once the start is over. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "main_pipes.h"

static char lines[MAIN_LINE_MAX];
static size_t lines_size;

void status_line(const struct session *s, const void *p, size_t size)
{
	if (s->status_fd < 0)
		return;
	if (write(s->status_fd, p, size) < 0 || write(s->status_fd, "\n", 1) < 0)
		return;
}

int start_failed(const struct session *s, const char *what, int err)
{
	char line[256];
	int n = snprintf(line, sizeof(line),
			 "{\"error\":{\"code\":\"start-failed\",\"message\":\"%s: %s\",\"remedy\":\"give the "
			 "machine what the message names, or use another runner\"}}",
			 what, strerror(-err));

	status_line(s, line, (size_t)n);
	return EXIT_FAILED;
}

void main_early(const struct session *s)
{
	lines_size = s->early_size < sizeof(lines) ? s->early_size : 0;
	memcpy(lines, s->early, lines_size);
}

bool main_heard(const struct session *s, void (*heard)(const char *line, size_t size))
{
	ssize_t n = read(s->stdin_fd, lines + lines_size, sizeof(lines) - lines_size);
	char *end;

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	lines_size += (size_t)n;
	while ((end = memchr(lines, '\n', lines_size))) {
		size_t size = (size_t)(end - lines);

		heard(lines, size);
		lines_size -= size + 1;
		memmove(lines, end + 1, lines_size);
	}
	return true;
}

void main_leave(struct session *s)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
		close(null);
	}
	if (s->status_fd >= 0)
		close(s->status_fd);
	if (s->stdin_fd >= 0)
		close(s->stdin_fd);
	s->status_fd = s->stdin_fd = -1;
}
