/* SPDX-License-Identifier: Apache-2.0 */
/* Each request does one thing and answers with its own sequence number. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "apply.h"
#include "channel.h"
#include "check.h"
#include "clock.h"
#include "close.h"
#include "config.h"
#include "control.h"
#include "dns.h"
#include "findings.h"
#include "flows.h"
#include "heartbeat.h"
#include "identities.h"
#include "main_pipes.h"
#include "maps.h"
#include "object.h"
#include "proof.h"
#include "requests.h"
#include "stream.h"
#include "tally.h"
#include "traffic.h"

static struct session *session;

static void ack(uint32_t seq, int32_t status, uint32_t index)
{
	unsigned char p[8];

	memcpy(p, &status, 4);
	memcpy(p + 4, &index, 4);
	channel_send(FRAME_ACK, 0, seq, p, sizeof(p));
}

static int apply(const struct frame *f, const unsigned char *p)
{
	uint32_t failed = 0;
	int err = apply_writes(p, f->length, &failed);

	ack(f->seq, err, failed);
	return 0;
}

static int flip(const struct frame *f, const unsigned char *p)
{
	uint32_t mode;

	if (f->length != sizeof(mode))
		return 0;
	memcpy(&mode, p, sizeof(mode));
	ack(f->seq, config_flip(mode), 0);
	return 0;
}

static int events_written(const struct frame *f, const unsigned char *p)
{
	(void)p;
	stream_written(f->seq);
	return 0;
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

static int owner(const struct frame *f, const unsigned char *p)
{
	unsigned char reply[4 + sizeof(struct owner_value)] = {};
	struct owner_value value = {};
	struct owner_key key;
	int32_t status = -EINVAL;

	if (f->length == sizeof(key)) {
		memcpy(&key, p, sizeof(key));
		status = owner_find(&key, &value);
		memcpy(reply + 4, &value, sizeof(value));
	}
	if (!status && channel_is_open() &&
	    (identity_tell(channel_fd(), value.pid, value.start_ns, value.execs) ||
	     identities_flush(channel_fd())))
		channel_break();
	memcpy(reply, &status, 4);
	channel_send(FRAME_OWNER_REPLY, 0, f->seq, reply, sizeof(reply));
	return 0;
}

static int list_flows(const struct frame *f, const unsigned char *p)
{
	size_t size;
	char *text = flows_list(&size);

	(void)p;
	if (!text)
		return EXIT_FAILED; /* in whose network are we? never go on with a guess */
	channel_send(FRAME_FLOWS, 0, f->seq, text, size);
	free(text);
	return 0;
}

/* Ends flows and says what came of each. */
static int close_flows(const struct frame *f, const unsigned char *p)
{
	size_t count = f->length / sizeof(struct open_flow_key);
	struct open_flow_key *flows = calloc(count ? count : 1, sizeof(*flows));
	int32_t *status = calloc(count ? count : 1, sizeof(*status));
	int code = EXIT_FAILED;

	if (flows && status) {
		memcpy(flows, p, count * sizeof(*flows));
		if (!flows_close(flows, count, status)) {
			channel_send(FRAME_CLOSED, 0, f->seq, status, count * sizeof(*status));
			code = 0;
		}
	}
	free(flows);
	free(status);
	return code;
}

static int reply_to_client(const struct frame *f, const unsigned char *p)
{
	control_reply(p, f->length);
	return 0;
}

static int get_counters(const struct frame *f, const unsigned char *p)
{
	uint64_t sums[COUNTER_SIZE];

	(void)p;
	repeats_tell();
	for (uint32_t i = 0; i < COUNTER_SIZE; i++)
		sums[i] = counter_sum(i);
	sums[COUNTER_DNS_DROPPED] = dns_dropped(session);
	channel_send(FRAME_COUNTERS, 0, f->seq, sums, sizeof(sums));
	return 0;
}

/* The bytes sent so far, by destination. */
static int get_traffic(const struct frame *f, const unsigned char *p)
{
	size_t size;
	unsigned char *all = traffic_read(&size);

	(void)p;
	if (!all)
		return EXIT_FAILED;
	channel_send(FRAME_TRAFFIC, 0, f->seq, all, size);
	free(all);
	return 0;
}

/* What the kernel holds of grants, for a daemon that was not there when they were given. */
static int get_grants(const struct frame *f, const unsigned char *p)
{
	size_t size = 0;
	unsigned char *all = tally_read(&size);

	(void)p;
	/* not to be read: tally_check() says so */
	channel_send(FRAME_GRANTS, 0, f->seq, all, size);
	free(all);
	return 0;
}

static int stage(const struct frame *f, const unsigned char *p)
{
	status_line(session, p, f->length);
	return 0;
}

static int alive(const struct frame *f, const unsigned char *p)
{
	(void)f;
	(void)p;
	heartbeat();
	findings_heard();
	return 0;
}

static int prove_tc(const struct frame *f, const unsigned char *p)
{
	(void)p;
	ack(f->seq, proof_tc(), 0);
	return 0;
}

static int pin(const struct frame *f, const unsigned char *p)
{
	(void)p;
	ack(f->seq, object_pin(), 0);
	return 0;
}

static int go_green(const struct frame *f, const unsigned char *p)
{
	if (session->green)
		return 0;
	check_all(session->options.cgroup); /* what stands now is what is compared with */
	session->green = true;
	/* the keeper before main: from now on it restarts instead of undoing, whenever we end */
	syscall(SYS_pidfd_send_signal, session->keeper_fd, SIGUSR1, NULL, 0);
	prctl(PR_SET_PDEATHSIG, 0);
	status_line(session, p, f->length);
	main_leave(session);
	return 0;
}

static const frame_handler requests[] = {
	[FRAME_APPLY] = apply,
	[FRAME_FLIP] = flip,
	[FRAME_EVENTS_WRITTEN] = events_written,
	[FRAME_OWNER] = owner,
	[FRAME_LIST_FLOWS] = list_flows,
	[FRAME_CONTROL_REPLY] = reply_to_client,
	[FRAME_GET_COUNTERS] = get_counters,
	[FRAME_STAGE] = stage,
	[FRAME_HEARTBEAT] = alive,
	[FRAME_PROVE_TC] = prove_tc,
	[FRAME_PIN] = pin,
	[FRAME_GREEN] = go_green,
	[FRAME_CLOSE_FLOWS] = close_flows,
	[FRAME_GET_TRAFFIC] = get_traffic,
	[FRAME_GET_GRANTS] = get_grants,
};

void requests_open(struct session *s)
{
	session = s;
}

int request_handle(const struct frame *f, const unsigned char *p)
{
	if (f->type < sizeof(requests) / sizeof(requests[0]) && requests[f->type])
		return requests[f->type](f, p);
	channel_break();
	return 0;
}
