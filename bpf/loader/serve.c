/* SPDX-License-Identifier: Apache-2.0 */
/* The loader's loop: what it waits for, and who hears of it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "again.h"
#include "begin.h"
#include "channel.h"
#include "check.h"
#include "clock.h"
#include "config.h"
#include "control.h"
#include "findings.h"
#include "heartbeat.h"
#include "lockdown.h"
#include "main_pipes.h"
#include "maps.h"
#include "network.h"
#include "notice.h"
#include "object.h"
#include "places.h"
#include "proc.h"
#include "requests.h"
#include "serve.h"
#include "stream.h"
#include "supervise.h"
#include "wall.h"
#include "watch.h"

/* What the loop waits for, in the order of its descriptors. */
enum waiting {
	DAEMON,
	SIGNALS,
	EVENTS,
	NETWORK,
	CONTROL,
	CANARY,
	MAIN,
	CLIENTS, /* of the control socket */
	WAITING_COUNT = CLIENTS + CONTROL_CLIENTS_MAX,
};

static struct session *session;
static int exit_code;

/* Ends the loop; 0 does not. */
static void end(int code)
{
	if (code)
		exit_code = code;
}

/* What was attempted before somebody asks is told before. */
static void control_frame(uint32_t id, uint32_t uid, uint32_t pid, const char *line, size_t size)
{
	unsigned char p[12 + MAIN_LINE_MAX];

	memcpy(p, &id, 4);
	memcpy(p + 4, &uid, 4);
	memcpy(p + 8, &pid, 4);
	memcpy(p + 12, line, size);
	stream_hurry();
	channel_drain();
	channel_send(FRAME_CONTROL, 0, 0, p, 12 + size);
}

/* main's further lines go to the daemon as control lines do. */
static void main_line(const char *line, size_t size)
{
	control_frame(0, session->options.uid, 0, line, size);
}

static int first_start(void)
{
	int code = begin(session);

	if (!code)
		heartbeat();
	return code;
}

static int restart(void)
{
	if (object_reopen() || config_reload())
		return EXIT_FAILED;
	(void)again_attach(); /* its pin may have gone meanwhile: the self-check tells of it */
	wall_comes_back(true);
	heartbeat_again();
	network_reload();
	return network_scan() ? EXIT_FAILED : 0;
}

/* Something about the network has changed; what can't be covered is said, never passed over. */
static void network_changed(void)
{
	int err = network_scan();

	if (err)
		notice_uncovered("(all)", err);
	else
		network_apply(notice_uncovered);
}

/* Once a second from green on; what was found is told as soon as the daemon is there. */
static int self_check(void)
{
	struct pollfd keeper = {session->keeper_fd, POLLIN, 0};
	static uint64_t last;
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	if (!session->green || !channel_is_open())
		return 0;
	if (poll(&keeper, 1, 0) == 1)
		return SERVE_ALONE;
	if (now - last >= 1000000000ULL) {
		last = now;
		/* one that somebody has stopped goes on */
		syscall(SYS_pidfd_send_signal, session->keeper_fd, SIGCONT, NULL, 0);
		check_all(session->options.cgroup);
		lockdown_check(session, check_find);
		places_check(session, getppid(), channel_daemon());
	}
	check_tell(notice_tamper);
	return 0;
}

/* Once a second: floods of refusals become events. */
static void tell_repeats(void)
{
	static uint64_t last;
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	if (now - last < 1000000000ULL)
		return;
	last = now;
	repeats_tell();
}

/* Proof connections end here. */
static void accept_canary(void)
{
	int fd = accept4(session->canary_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		close(fd);
}

static void turn(struct pollfd *p)
{
	int code = 0;

	if (p[DAEMON].revents)
		channel_read(request_handle, &code);
	end(code);
	if (p[SIGNALS].revents)
		end(supervise_reap(session, p[SIGNALS].fd, request_handle));
	if (p[NETWORK].revents) {
		network_heard(p[NETWORK].fd);
		network_changed();
	}
	if (p[CONTROL].revents)
		control_accept(session->control_fd, session->options.uid, session->options.worker);
	if (p[CANARY].revents)
		accept_canary();
	/* -1: green since the loop waited */
	if (p[MAIN].revents && session->stdin_fd >= 0 && !main_heard(session, main_line))
		end(EXIT_FAILED); /* its end before green undoes the start */
	control_heard(p + CLIENTS, control_frame);
	tell_repeats();
	channel_drain();
	end(supervise_look(session, request_handle));
	end(self_check());
}

static void wait_for(struct pollfd *p, int signals, int watch)
{
	p[DAEMON] = (struct pollfd){channel_fd(), POLLIN, 0};
	p[SIGNALS] = (struct pollfd){signals, POLLIN, 0};
	p[EVENTS] = (struct pollfd){map_fds[M_EVENTS], POLLIN, 0};
	p[NETWORK] = (struct pollfd){watch, POLLIN, 0};
	p[CONTROL] = (struct pollfd){session->control_fd, POLLIN, 0};
	p[CANARY] = (struct pollfd){session->canary_fd, POLLIN, 0};
	p[MAIN] = (struct pollfd){session->stdin_fd, POLLIN, 0};
	control_wait(p + CLIENTS);
	/* 5 ms: allowed flows don't wake the reader; a full window waits for its ack */
	p[EVENTS].events = stream_waiting() || stream_gathers() ? 0 : POLLIN;
}

/* Everything up to a daemon that has been told where it is; 0 or an exit code. */
static int start(bool restarted)
{
	int code = restarted ? restart() : first_start(), err;

	if (code)
		return code;
	main_early(session);
	err = channel_prepare();
	if (!err)
		err = stream_open(map_fds[M_EVENTS]);
	if (err)
		return start_failed(session, "the ring of events", err);
	err = supervise_start(session, restarted);
	if (err)
		return start_failed(session, "the daemon's process", err);
	if (restarted)
		network_apply(notice_uncovered);
	wall_comes_back(false);
	if (session->keeper_lost)
		check_happened("the keeper had been ended; the loader has taken its place");
	if (session->loader_held)
		check_happened("the loader had been stopped by a tracer; another one has taken its place");
	return 0;
}

static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGCONT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int serve(struct session *s, bool restarted)
{
	struct pollfd p[WAITING_COUNT];
	int signals, watch, code;

	session = s;
	exit_code = -1;
	guard_cgroup(s->options.cgroup);
	requests_open(s);
	control_open();
	signals = signals_open();
	if (signals < 0)
		return start_failed(session, "the loader's signals", -errno);
	watch = network_watch();
	if (watch < 0)
		return start_failed(session, "the network's changes", -errno);
	code = start(restarted);
	if (code)
		return code;
	while (exit_code == -1) {
		wait_for(p, signals, watch);
		if (poll(p, WAITING_COUNT, stream_waiting() ? 50 : 5) < 0 && errno != EINTR)
			return EXIT_FAILED;
		turn(p);
	}
	/* a new loader gets neither this one's clients nor its daemon */
	if (channel_is_open()) {
		channel_break();
		channel_close();
	}
	control_close();
	close(signals);
	close(watch);
	return exit_code;
}
