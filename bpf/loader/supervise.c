/* SPDX-License-Identifier: Apache-2.0 */
/* One daemon at a time; before green its end is the start's, after it a new one goes on. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "daemon.h"
#include "findings.h"
#include "heartbeat.h"
#include "hello.h"
#include "identities.h"
#include "main_pipes.h"
#include "processes.h"
#include "stream.h"
#include "supervise.h"

#define RESTART_PAUSE_MS 200
#define RESTART_TRIES 50

int supervise_start(const struct session *s, bool restarted)
{
	char line[64], *text;
	int fd, n;
	size_t size;
	pid_t pid = daemon_start(s, &fd);

	if (pid < 0)
		return pid;
	channel_take(fd, pid);
	/* fails closed: a daemon nobody knows has everyone's rules */
	(void)processes_daemon(pid);
	identities_forget();
	text = hello_text(s, restarted, &size);
	channel_send(FRAME_HELLO, 0, 0, text, size);
	free(text);
	stream_resend(fd);
	n = snprintf(line, sizeof(line), "{\"stage\":\"daemon\",\"pid\":%d}", pid);
	status_line(s, line, (size_t)n);
	return 0;
}

static int daemon_ended(const struct session *s, frame_handler handle)
{
	int code = 0;

	while (channel_read(handle, &code) > 0)
		; /* its last words: why it ended */
	channel_close();
	if (code || !s->green)
		return code ? code : EXIT_FAILED;
	findings_again();
	poll(NULL, 0, RESTART_PAUSE_MS); /* a daemon that dies at once must not spin */
	for (int tries = 0; supervise_start(s, true) < 0; tries++) {
		if (tries == RESTART_TRIES)
			return EXIT_FAILED; /* the keeper starts a new loader */
		poll(NULL, 0, RESTART_PAUSE_MS);
	}
	return 0;
}

int supervise_reap(const struct session *s, int signals, frame_handler handle)
{
	struct signalfd_siginfo info;
	int status, code = 0;
	pid_t pid;

	(void)!read(signals, &info, sizeof(info));
	while (!code && (pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (WIFSTOPPED(status))
			kill(pid, SIGKILL); /* one that stands still is ended: its end follows */
		else if (pid == channel_daemon())
			code = daemon_ended(s, handle);
	}
	return code;
}

void supervise_look(const struct session *s)
{
	bool late = heartbeat_is_late(config_now()->heartbeat_limit_ns);

	if (!late || !s->green || !channel_is_open())
		return;
	heartbeat();
	channel_break();
}
