/* SPDX-License-Identifier: Apache-2.0 */
/* P2's loop: ring to frames, frames to maps, the daemon's life, the control socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "begin.h"
#include "check.h"
#include "control.h"
#include "dns.h"
#include "frame.h"
#include "identities.h"
#include "loader.h"
#include "lockdown.h"
#include "stream.h"
#include "traffic.h"

#define RESTART_PAUSE_MS 200
#define STOOD_STILL_NS 2000000000ULL /* between two turns */

static struct session *session;
static struct config config_value;
static uint64_t heartbeat_ns;
static int channel = -1;
static pid_t daemon_pid;
static bool restarting;
static unsigned char *input;
static size_t input_size;
static char stdin_line[65536];
static size_t stdin_size;
static int exit_code;

uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static void config_write(void)
{
	uint32_t zero = 0;

	bpf_map_update_elem(map_fds[M_CONFIG], &zero, &config_value, BPF_ANY);
}

/* A sign of the daemon's life. */
static void heartbeat(void)
{
	uint32_t zero = 0;

	heartbeat_ns = now_ns(CLOCK_MONOTONIC);
	bpf_map_update_elem(map_fds[M_HEARTBEAT], &zero, &heartbeat_ns, BPF_ANY);
}

static void send_frame(uint16_t type, uint16_t flags, uint32_t seq, const void *p, size_t size)
{
	if (channel >= 0 && frame_send(channel, type, flags, seq, p, size)) {
		/* fails closed: a daemon that can't be spoken to is ended and started again */
		kill(daemon_pid, SIGKILL);
	}
}

/* By descriptor, as daemon.c hands them over. */
static void hello_sockets(FILE *f)
{
	for (size_t i = 0; i < session->socket_count; i++) {
		const struct proxy_socket *p = &session->sockets[i];

		fprintf(f, "%s{\"fd\":%zu,\"proto\":\"%s\",\"runner\":%s,\"address\":\"%s\"}", i ? "," : "",
			5 + i, p->tcp ? "tcp" : "udp", p->runner ? "true" : "false", p->address);
	}
}

static void hello(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	fprintf(f, "{\"abi\":%d,\"restarted\":%s,\"audit\":4,\"proxyPort\":%u,\"canaryPort\":%u,",
		ABI_VERSION, restarting ? "true" : "false", session->proxy_port, session->canary_port);
	fprintf(f, "\"monotonicNs\":\"%llu\",\"realtimeNs\":\"%llu\",\"hostNetns\":\"%llu\",\"sockets\":[",
		(unsigned long long)now_ns(CLOCK_MONOTONIC), (unsigned long long)now_ns(CLOCK_REALTIME),
		(unsigned long long)config_value.host_netns);
	hello_sockets(f);
	fprintf(f, "],\"own\":[");
	for (size_t i = 0; i < own_count; i++) {
		char a[64];

		inet_ntop(AF_INET6, own_addresses[i].addr.b, a, sizeof(a));
		fprintf(f, "%s\"%s\"", i ? "," : "", a);
	}
	fprintf(f, "],\"session\":%s}", session->settings);
	fclose(f);
	send_frame(FRAME_HELLO, 0, 0, text, size);
	free(text);
}

static int start_daemon(void)
{
	char line[64];
	int n;

	input_size = 0;
	daemon_pid = daemon_start(session, &channel);
	if (daemon_pid < 0)
		return daemon_pid;
	/* fails closed: a daemon nobody knows has everyone's rules */
	(void)processes_daemon(daemon_pid);
	identities_forget();
	hello();
	stream_resend(channel);
	n = snprintf(line, sizeof(line), "{\"stage\":\"daemon\",\"pid\":%d}", daemon_pid);
	status_line(session, line, (size_t)n);
	return 0;
}

static void ack(uint32_t seq, int32_t status, uint32_t index)
{
	unsigned char p[8];

	memcpy(p, &status, 4);
	memcpy(p + 4, &index, 4);
	send_frame(FRAME_ACK, 0, seq, p, sizeof(p));
}

/* As dns_owner() in bpf/dns.bpf.h: by the source, else, from a network of the machine's, by the port. */
static int owner_find(const struct owner_key *key, struct owner_value *owner)
{
	struct local_key local = {.prefixlen = 128, .addr = key->src};
	struct owner_key any = {.port = key->port, .proto = key->proto};
	struct local_value v;

	if (!bpf_map_lookup_elem(map_fds[M_OWNERS], key, owner))
		return 0;
	if (bpf_map_lookup_elem(map_fds[M_LOCALS], &local, &v) || v.flags & LOCAL_OWN ||
	    bpf_map_lookup_elem(map_fds[M_OWNERS], &any, owner))
		return -ENOENT;
	return now_ns(CLOCK_MONOTONIC) - owner->seen_ns < OWNER_ANY_NS ? 0 : -ENOENT;
}

static void owner_reply(uint32_t seq, const unsigned char *p, size_t size)
{
	unsigned char reply[4 + sizeof(struct owner_value)] = {};
	struct owner_value owner = {};
	struct owner_key key;
	int32_t status = -EINVAL;

	if (size == sizeof(key)) {
		memcpy(&key, p, sizeof(key));
		status = owner_find(&key, &owner);
		memcpy(reply + 4, &owner, sizeof(owner));
	}
	if (!status &&
	    (identity_tell(channel, owner.pid, owner.start_ns, owner.execs) || identities_flush(channel)))
		kill(daemon_pid, SIGKILL);
	memcpy(reply, &status, 4);
	send_frame(FRAME_OWNER_REPLY, 0, seq, reply, sizeof(reply));
}

static void go_green(const unsigned char *p, size_t size)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	session->green = true;
	/* the keeper before main: from now on it restarts instead of undoing, whenever we end */
	syscall(SYS_pidfd_send_signal, session->keeper_fd, SIGUSR1, NULL, 0);
	prctl(PR_SET_PDEATHSIG, 0);
	status_line(session, p, size);
	if (null >= 0) {
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		close(null);
	}
	if (session->status_fd >= 0)
		close(session->status_fd);
	if (session->stdin_fd >= 0)
		close(session->stdin_fd);
	session->status_fd = session->stdin_fd = -1;
}

/* Somebody has changed what stands, or something can't be covered: for the daemon's record. */
static void notice_tamper(const char *finding)
{
	char line[512], text[256];
	int n;

	json_escape(text, sizeof(text), finding);
	n = snprintf(line, sizeof(line), "{\"kind\":\"tamper\",\"what\":\"%s\"}", text);
	send_frame(FRAME_NOTICE, 0, 0, line, (size_t)n);
}

/* Ends the flows of a CLOSE_FLOWS frame and says what came of each. */
static void close_flows(const struct frame *f, const unsigned char *p)
{
	size_t count = f->length / sizeof(struct open_flow_key);
	struct open_flow_key *flows = calloc(count ? count : 1, sizeof(*flows));
	int32_t *status = calloc(count ? count : 1, sizeof(*status));

	if (!flows || !status) {
		exit_code = EXIT_FAILED;
	} else {
		memcpy(flows, p, count * sizeof(*flows));
		if (flows_close(flows, count, status))
			exit_code = EXIT_FAILED;
		else
			send_frame(FRAME_CLOSED, 0, f->seq, status, count * sizeof(*status));
	}
	free(flows);
	free(status);
}

/* The bytes sent so far, by destination. */
static void send_traffic(uint32_t seq)
{
	size_t size;
	unsigned char *all = traffic_read(&size);

	if (all)
		send_frame(FRAME_TRAFFIC, 0, seq, all, size);
	else
		exit_code = EXIT_FAILED;
	free(all);
}

static void handle_frame(const struct frame *f, const unsigned char *p)
{
	uint64_t sums[COUNTER_SIZE];
	uint32_t failed = 0, mode;
	char *text;
	size_t size;
	int err;

	switch (f->type) {
	case FRAME_APPLY:
		err = apply_writes(p, f->length, &failed);
		ack(f->seq, err, failed);
		break;
	case FRAME_FLIP:
		if (f->length != 4)
			break;
		memcpy(&mode, p, 4);
		/* an enforcing wall never becomes anything else */
		if (mode < MODE_AUDIT || mode > MODE_ENFORCE || config_value.mode == MODE_ENFORCE) {
			ack(f->seq, config_value.mode == mode ? 0 : -EPERM, 0);
			break;
		}
		config_value.mode = mode;
		config_write();
		ack(f->seq, 0, 0);
		break;
	case FRAME_EVENTS_WRITTEN:
		stream_written(f->seq);
		break;
	case FRAME_OWNER:
		owner_reply(f->seq, p, f->length);
		break;
	case FRAME_LIST_FLOWS:
		text = flows_list(&size);
		if (!text)
			exit_code = EXIT_FAILED; /* in whose network are we? never go on with a guess */
		else
			send_frame(FRAME_FLOWS, 0, f->seq, text, size);
		free(text);
		break;
	case FRAME_CLOSE_FLOWS:
		close_flows(f, p);
		return;
	case FRAME_CONTROL_REPLY:
		control_reply(p, f->length);
		break;
	case FRAME_GET_COUNTERS:
		repeats_tell();
		for (uint32_t i = 0; i < COUNTER_SIZE; i++)
			sums[i] = counter_sum(i);
		sums[COUNTER_DNS_DROPPED] = dns_dropped(session);
		send_frame(FRAME_COUNTERS, 0, f->seq, sums, sizeof(sums));
		break;
	case FRAME_GET_TRAFFIC:
		send_traffic(f->seq);
		break;
	case FRAME_STAGE:
		status_line(session, p, f->length);
		break;
	case FRAME_HEARTBEAT:
		heartbeat();
		break;
	case FRAME_PROVE_TC:
		ack(f->seq, proof_tc(), 0);
		break;
	case FRAME_PIN:
		ack(f->seq, object_pin(), 0);
		break;
	case FRAME_GREEN:
		if (!session->green) {
			check_all(session); /* what stands now is what is compared with */
			go_green(p, f->length);
		}
		break;
	default:
		kill(daemon_pid, SIGKILL);
	}
}

static ssize_t read_daemon(void)
{
	ssize_t n = recv(channel, input + input_size, INPUT_MAX - input_size, 0);
	size_t at = 0;
	struct frame f;

	int state;

	if (n <= 0)
		return n; /* its end is told by SIGCHLD */
	input_size += (size_t)n;
	while ((state = frame_decode(input + at, input_size - at, &f)) == 0) {
		handle_frame(&f, input + at + FRAME_HEADER);
		at += FRAME_HEADER + f.length;
	}
	memmove(input, input + at, input_size - at);
	input_size -= at;
	if (state < 0 || input_size == INPUT_MAX)
		kill(daemon_pid, SIGKILL);
	return n;
}

static void drain(void)
{
	if (channel >= 0 && stream_drain(channel))
		kill(daemon_pid, SIGKILL);
}

/* What was attempted before somebody asks is told before. */
static void control_frame(uint32_t id, uint32_t uid, uint32_t pid, const char *line, size_t size)
{
	unsigned char p[12 + sizeof(stdin_line)];

	memcpy(p, &id, 4);
	memcpy(p + 4, &uid, 4);
	memcpy(p + 8, &pid, 4);
	memcpy(p + 12, line, size);
	stream_hurry();
	drain();
	send_frame(FRAME_CONTROL, 0, 0, p, 12 + size);
}

/* main's further lines go to the daemon; its end before green undoes the start. */
static void read_stdin(void)
{
	ssize_t n = read(session->stdin_fd, stdin_line + stdin_size, sizeof(stdin_line) - stdin_size);
	char *end;

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			exit_code = EXIT_FAILED;
		return;
	}
	stdin_size += (size_t)n;
	while ((end = memchr(stdin_line, '\n', stdin_size))) {
		size_t size = (size_t)(end - stdin_line);

		control_frame(0, session->options.uid, 0, stdin_line, size);
		stdin_size -= size + 1;
		memmove(stdin_line, end + 1, stdin_size);
	}
}

static void reap(int signals)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	(void)!read(signals, &info, sizeof(info));
	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (WIFSTOPPED(status))
			kill(pid, SIGKILL); /* one that stands still is ended: its end follows */
		if (WIFSTOPPED(status) || pid != daemon_pid)
			continue;
		while (read_daemon() > 0)
			; /* its last words: why it ended */
		close(channel);
		channel = -1;
		if (!session->green) {
			exit_code = EXIT_FAILED;
			return;
		}
		restarting = true;
		poll(NULL, 0, RESTART_PAUSE_MS); /* a daemon that dies at once must not spin */
		for (int tries = 0; start_daemon() < 0; tries++) {
			if (tries == 50) {
				exit_code = EXIT_FAILED; /* the keeper starts a new loader */
				return;
			}
			poll(NULL, 0, RESTART_PAUSE_MS);
		}
	}
}

static int first_start(void)
{
	int code = begin(session, &config_value);

	if (!code)
		heartbeat();
	return code;
}

static int restart(void)
{
	uint32_t zero = 0;

	restarting = true;
	if (object_reopen() || bpf_map_lookup_elem(map_fds[M_CONFIG], &zero, &config_value))
		return EXIT_FAILED;
	heartbeat();
	network_reload();
	return network_scan() ? EXIT_FAILED : 0;
}

/* The network could not be read at all, or one of its interfaces could not be covered. */
static void notice_uncovered(const char *interface, int err)
{
	char finding[160];

	snprintf(finding, sizeof(finding), "interface %s could not be covered: %s", interface,
		 strerror(-err));
	notice_tamper(finding);
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
static void self_check(void)
{
	struct pollfd keeper = {session->keeper_fd, POLLIN, 0};
	static uint64_t last;
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	if (!session->green || channel < 0)
		return;
	if (poll(&keeper, 1, 0) == 1) {
		exit_code = SERVE_ALONE;
		return;
	}
	if (now - last >= 1000000000ULL) {
		last = now;
		/* one that somebody has stopped goes on */
		syscall(SYS_pidfd_send_signal, session->keeper_fd, SIGCONT, NULL, 0);
		check_all(session);
		lockdown_check(session, check_find);
	}
	check_tell(notice_tamper);
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

/*
 * A daemon that gives no sign of life is ended; its end starts a new one. A loader that has itself stood
 * still has not read the signs there were.
 */
static void end_hung_daemon(void)
{
	static uint64_t last;
	uint64_t now = now_ns(CLOCK_MONOTONIC), before = last;

	last = now;
	if (now - before >= STOOD_STILL_NS) {
		heartbeat();
		return;
	}
	if (!session->green || channel < 0 || now - heartbeat_ns < config_value.heartbeat_limit_ns)
		return;
	heartbeat();
	kill(daemon_pid, SIGKILL);
}

static void turn(struct pollfd *p, int signals, int watch)
{
	if (p[0].revents)
		read_daemon();
	if (p[1].revents)
		reap(signals);
	if (p[3].revents) {
		network_heard(watch);
		network_changed();
	}
	if (p[4].revents)
		control_accept(session->control_fd, session->options.uid);
	if (p[5].revents) {
		int fd = accept4(session->canary_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			close(fd);
	}
	if (p[6].revents)
		read_stdin();
	control_heard(p + 7, control_frame);
	tell_repeats();
	drain();
	end_hung_daemon();
	self_check();
}

const struct session *serve_session(void)
{
	return session;
}

int serve(struct session *s, bool restarted)
{
	struct pollfd p[7 + CONTROL_CLIENTS_MAX];
	int signals, watch, code, err;
	sigset_t set;

	session = s;
	exit_code = -1;
	free(input); /* a loader that has become the keeper starts one of its own */
	input = malloc(INPUT_MAX);
	control_open();
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		return start_failed(session, "the loader's signals", -errno);
	watch = network_watch();
	if (watch < 0)
		return start_failed(session, "the network's changes", -errno);
	code = restarted ? restart() : first_start();
	if (code)
		return code;
	memcpy(stdin_line, s->early, s->early_size < sizeof(stdin_line) ? s->early_size : 0);
	stdin_size = s->early_size < sizeof(stdin_line) ? s->early_size : 0;
	err = input ? stream_open(map_fds[M_EVENTS]) : -ENOMEM;
	if (err)
		return start_failed(session, "the ring of events", err);
	err = start_daemon();
	if (err)
		return start_failed(session, "the daemon's process", err);
	if (restarted)
		network_apply(notice_uncovered);
	wall_is_coming_back = false;
	if (s->keeper_lost)
		notice_tamper("the keeper had been ended; the loader has taken its place");
	while (exit_code == -1) {
		p[0] = (struct pollfd){channel, POLLIN, 0};
		p[1] = (struct pollfd){signals, POLLIN, 0};
		p[2] = (struct pollfd){map_fds[M_EVENTS], POLLIN, 0};
		p[3] = (struct pollfd){watch, POLLIN, 0};
		p[4] = (struct pollfd){s->control_fd, POLLIN, 0};
		p[5] = (struct pollfd){s->canary_fd, POLLIN, 0};
		p[6] = (struct pollfd){s->stdin_fd, POLLIN, 0};
		control_wait(p + 7);
		/* 5 ms: allowed flows don't wake the reader; a full window waits for its ack */
		p[2].events = stream_waiting() || stream_gathers() ? 0 : POLLIN;
		if (poll(p, sizeof(p) / sizeof(p[0]), stream_waiting() ? 50 : 5) < 0 && errno != EINTR)
			return EXIT_FAILED;
		turn(p, signals, watch);
	}
	/* a new loader gets neither this one's clients nor its daemon */
	if (channel >= 0) {
		kill(daemon_pid, SIGKILL);
		close(channel);
		channel = -1;
	}
	control_close();
	close(signals);
	close(watch);
	return exit_code;
}
