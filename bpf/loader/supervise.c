/* SPDX-License-Identifier: Apache-2.0 */
/* One daemon at a time; before green its end is the start's, after it a new one goes on. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"
#include "daemon.h"
#include "findings.h"
#include "heartbeat.h"
#include "hello.h"
#include "identities.h"
#include "main_pipes.h"
#include "proc.h"
#include "processes.h"
#include "stream.h"
#include "supervise.h"

#define RESTART_PAUSE_MS 200
#define RESTART_TRIES 50
#define LOOK_NS 250000000ULL /* the kernel tells a tracer alone */

static bool was_held; /* the last daemon, by a tracer that had stopped it */

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
	if (was_held)
		check_happened("the daemon had been stopped by a tracer; another one has taken its place");
	was_held = false;
	return 0;
}

/* A tracer keeps a stopped daemon from going on, and a dead one from being reaped. */
static int look_for_tracer(const struct session *s, frame_handler handle)
{
	pid_t daemon = channel_daemon();
	char state = daemon > 1 ? process_state(daemon) : 0; /* a child of ours: the number is its */

	if (state == 't') {
		was_held = true;
		kill(daemon, SIGKILL);
	}
	if (state != 'Z')
		return 0;
	(void)waitpid(daemon, NULL, WNOHANG);
	return daemon_ended(s, handle);
}

int supervise_reap(const struct session *s, int signals, frame_handler handle)
{
	struct signalfd_siginfo info;
	int status, code = 0;
	pid_t pid;

	/* nobody else sends it: one who could have stopped us */
	if (read(signals, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGCONT)
		check_happened("the loader had been stopped, and goes on");
	while (!code && (pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (WIFSTOPPED(status))
			kill(pid, SIGKILL); /* one that stands still is ended: its end follows */
		else if (pid == channel_daemon())
			code = daemon_ended(s, handle);
	}
	return code;
}

int supervise_look(const struct session *s, frame_handler handle)
{
	bool late = heartbeat_is_late(config_now()->heartbeat_limit_ns);
	static uint64_t last;
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	if (!s->green || !channel_is_open())
		return 0;
	if (late) {
		heartbeat();
		channel_break();
	}
	if (now - last < LOOK_NS)
		return 0;
	last = now;
	return look_for_tracer(s, handle);
}
