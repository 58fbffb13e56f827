/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices between a process and the uplink, and sockets, that a distribution's kernel brings as modules:
 * devices INTERNET WORKER. suites/devices has made the devices. One line a case. Each way is shown to
 * work before the wall stands; then what is refused must be seen nowhere by a sniffer on the far side and be
 * recorded once, and what is allowed must arrive and be recorded once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "outside.h"
#include "stacks.h"

#define OPEN4 "198.51.101." /* allowed by UDP */
#define CLOSED4 "203.0.112." /* never allowed */
#define CLOSED_INNER4 "203.0.114."
#define OPEN6 "2001:db8:2::"

#ifndef IPPROTO_L2TP
#define IPPROTO_L2TP 115
#endif
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A device that carries packets to the internet itself. */
struct link {
	const char *what;
	const char *device;
	int number; /* of its routes: OPEN4 and CLOSED4 */
};

/* A tunnel over UDP: one device to an address that is allowed (`a`), one to another (`r`). */
struct tunnel {
	const char *what;
	const char *device;
	int number;
};

/* A tunnel of a protocol of its own, to an address that is allowed. */
struct protocol {
	const char *what;
	const char *device; /* NULL: a datagram is what goes through it */
	int number;
	bool is_v6;
};

/* A socket of another protocol. */
struct exotic {
	const char *what;
	int type;
	int protocol;
	int number;
};

static const struct link links[] = {
	{"a VLAN device", "up0.7", 1},
	{"QinQ, a VLAN in a VLAN", "up0.8.9", 2},
	{"a bond, active-backup, of two NICs", "bond0", 3},
	{"a team, active-backup", "team0", 4},
	{"a bridge with a NIC in it", "br0", 5},
	{"macvlan", "mac0", 6},
	{"ipvlan", "ipv0", 7},
	{"a VLAN device of a bond", "bond0.11", 8},
	{"a VRF", "vrf9", 9},
};

static const struct tunnel tunnels[] = {
	{"vxlan", "vxlan", 10}, {"geneve", "geneve", 11},	{"ipip over UDP (FOU)", "fou", 12},
	{"L2TP", "l2tp", 13},	{"wireguard", "wireguard", 14},
};

static const struct protocol protocols[] = {
	{"gre", "gre9", 20, false},
	{"gretap", "gretap9", 21, false},
	{"ipip", "ipip9", 22, false},
	{"sit", "sit9", 23, false},
	{"ip6tnl", "ip6tnl9", 24, true},
	{"ip6gre", "ip6gre9", 25, true},
	{"ESP (IPsec transport)", NULL, 26, false},
	{"vti (IPsec tunnel)", "vti9", 27, false},
};

static const struct exotic exotics[] = {
	{"SCTP", SOCK_STREAM, IPPROTO_SCTP, 30},
	{"DCCP", SOCK_DCCP, IPPROTO_DCCP, 31},
	{"L2TP over IP", SOCK_DGRAM, IPPROTO_L2TP, 32},
	{"UDP-Lite", SOCK_DGRAM, IPPROTO_UDPLITE, 33},
};

static char *text_of(const char *start, int number)
{
	static char texts[32][64];
	static unsigned int next;
	char *text = texts[next++ % COUNT(texts)];

	snprintf(text, sizeof(texts[0]), "%s%d", start, number);
	return text;
}

static char *marker(void)
{
	static int count = 10000; /* of one length: none is part of another */

	return text_of("marker-", count++);
}

/* Says what a case is: closed, or the limit that documents it. */
static void tell(int number, const char *what, const char *is, bool passed)
{
	char line[200];

	snprintf(line, sizeof(line), "case %d, %s: %s", number, what, is);
	check(line, passed);
}

/* Whether a way brings a text to the far side. */
static bool arrives(const char *device, const char *to)
{
	const char *text = marker();
	int err = device ? frame_on(device, to, text) : datagram(to, text);

	if (!err && sees(text, NULL))
		return true;
	snprintf(reason, sizeof(reason), "nothing came to %s by %s: %s", to, device ? device : "a datagram",
		 strerror(-err));
	return false;
}

/* Whether nothing comes to the far side; how the call ends is the device's. */
static bool stays(const char *device, const char *to)
{
	const char *text = marker();

	if (device)
		frame_on(device, to, text);
	else
		datagram(to, text);
	return has_left(text) ? fails("what is refused has left the machine") : true;
}

static bool is_recorded(const char *to, bool allowed, unsigned int wanted)
{
	unsigned int found = log_is_complete() ? recorded(to, allowed) : 0;

	if (found == wanted)
		return true;
	snprintf(reason, sizeof(reason), "%u records of %s %s, not %u", found,
		 allowed ? "allowed" : "refused", to, wanted);
	return false;
}

static bool is_refused_at_all(const char *to)
{
	return (log_is_complete() && refusals(to)) || fails("no record of a refusal");
}

/* Whether both ways over a device are open, before the wall stands. */
static bool is_open(const struct link *l)
{
	return arrives(NULL, text_of(OPEN4, l->number)) && arrives(NULL, text_of(CLOSED4, l->number)) &&
	       arrives(l->device, text_of(CLOSED4, l->number));
}

/* Whether the device is judged, in the calls of a socket and by the wall alone, each attempt once. */
static bool is_judged(const struct link *l)
{
	const char *open = text_of(OPEN4, l->number), *closed = text_of(CLOSED4, l->number);

	return arrives(NULL, open) && is_recorded(open, true, 1) && arrives(l->device, open) &&
	       is_recorded(open, true, 2) && stays(NULL, closed) && is_recorded(closed, false, 1) &&
	       stays(l->device, closed) && is_recorded(closed, false, 2);
}

static const char *half(const struct tunnel *t, char which)
{
	static char device[2][IFNAMSIZ];
	char *out = device[which == 'a'];

	snprintf(out, IFNAMSIZ, "%s%c", t->device, which);
	return out;
}

static bool tunnel_is_open(const struct tunnel *t)
{
	return arrives(half(t, 'a'), text_of(CLOSED_INNER4, t->number)) && arrives(half(t, 'r'), ALLOWED4);
}

static bool tunnel_is_judged(const struct tunnel *t)
{
	const char *inner = text_of(CLOSED_INNER4, t->number), *outer = text_of(CLOSED4, t->number);

	return arrives(half(t, 'a'), ALLOWED4) && stays(half(t, 'a'), inner) &&
	       is_recorded(inner, false, 1) && stays(half(t, 'r'), ALLOWED4) &&
	       (!has_left_for(outer) || fails("the tunnel's own packet has left the machine")) &&
	       is_refused_at_all(outer);
}

static const char *outer_of(const struct protocol *p)
{
	return text_of(p->is_v6 ? OPEN6 : OPEN4, p->number);
}

static bool protocol_is_open(const struct protocol *p)
{
	return p->device ? arrives(p->device, ALLOWED4) : arrives(NULL, outer_of(p));
}

static bool protocol_is_judged(const struct protocol *p)
{
	return stays(p->device, p->device ? ALLOWED4 : outer_of(p)) &&
	       (!has_left_for(outer_of(p)) || fails("the tunnel's own packet has left the machine")) &&
	       is_refused_at_all(outer_of(p));
}

/* Sends the first packet of a protocol; whether there is such a socket. */
static bool opens(const struct exotic *e, const char *to)
{
	struct sockaddr_storage a;
	socklen_t size = address_of(&a, to, e->protocol == IPPROTO_L2TP ? 0 : 9);
	int fd = socket(AF_INET, e->type | SOCK_CLOEXEC | SOCK_NONBLOCK, e->protocol);

	if (fd < 0)
		return fails(strerror(errno));
	if (e->protocol == IPPROTO_DCCP) { /* DCCP_SOCKOPT_SERVICE */
		uint32_t service = htonl(1);

		setsockopt(fd, 269, 2, &service, sizeof(service));
	}
	if (e->type == SOCK_DGRAM)
		(void)!sendto(fd, "exotic", 6, 0, (void *)&a, size);
	else
		(void)!connect(fd, (void *)&a, size);
	close(fd);
	return true;
}

static bool exotic_is_open(const struct exotic *e)
{
	const char *to = text_of(CLOSED4, e->number);

	return opens(e, to) && (has_left_for(to) || fails("nothing has left"));
}

static bool exotic_is_judged(const struct exotic *e)
{
	const char *targets[] = {text_of(OPEN4, e->number), text_of(CLOSED4, e->number)};

	for (size_t i = 0; i < COUNT(targets); i++)
		if (!opens(e, targets[i]) || (has_left_for(targets[i]) && !fails("it has left")) ||
		    !is_refused_at_all(targets[i]))
			return false;
	return true;
}

/* Talks to an allowed server, which tells of another address of its own: the kernel joins it by itself. */
static int joins(void)
{
	int fd = multipath_open(ALLOWED4);

	if (fd < 0 || send(fd, "hello", 5, MSG_NOSIGNAL) < 0 || !far_answers()) {
		fails("no connection to the server that tells");
		return -1;
	}
	return fd;
}

static bool subflow_is_open(const char *to)
{
	int fd = joins();
	bool comes = fd >= 0 && (comes_for(to) || fails("nobody joins"));

	close(fd);
	return comes;
}

static bool subflow_is_judged(const char *to)
{
	int fd = joins();
	bool stayed = fd >= 0 && await_refusal(to, 0) && (!has_left_for(to) || fails("it has left"));

	close(fd);
	return stayed;
}

static bool mptcp_is_judged(void)
{
	const char *text = marker();
	int fd = multipath_open(ALLOWED4);
	bool comes = fd >= 0 && send(fd, text, strlen(text), MSG_NOSIGNAL) > 0 && sees(text, NULL);

	close(fd);
	return (comes || fails("what is allowed does not come")) &&
	       (multipath_open(REFUSED4) == -EPERM || fails("the call is not refused")) &&
	       (!has_left_for(REFUSED4) || fails("it has left")) && is_refused_at_all(REFUSED4);
}

/* An interface that comes after the start, with a gateway: it has its wall before it is used. */
static bool late_is_judged(const char *make, const struct link *l)
{
	char path[2][64];

	if (system(make))
		return fails("the device could not be made");
	snprintf(path[0], sizeof(path[0]), "/run/cargowall/bpf/link_tc_%u", if_nametoindex(l->device));
	snprintf(path[1], sizeof(path[1]), "/run/cargowall/bpf/filter_%u", if_nametoindex(l->device));
	for (time_t since = time(NULL); access(path[0], F_OK) && access(path[1], F_OK); usleep(20000))
		if (is_over(since))
			return fails("it has no wall");
	return is_judged(l);
}

/* A service of root's gets its socket, and no way past the queue. */
static bool stays_in_the_queue(int (*send)(const char *, const char *), const char *to, unsigned int family)
{
	const char *text = marker();
	int fd = send(to, text);

	return (fd == -EPERM || fails(fd < 0 ? strerror(-fd) : "the call is not refused")) &&
	       (!has_left(text) || fails("it has left")) && await_refused_socket(family, ORIGIN_SYSTEM);
}

static bool is_beyond(void)
{
	int err = by_vsock("vsock");

	return err ? fails(strerror(-err)) : true;
}

/* Errors of a process of the job's for a socket of each family, in a line. */
static int job(void)
{
	printf("packet %d xdp %d vsock %d\n", socket_error(AF_PACKET), socket_error(AF_XDP),
	       socket_error(AF_VSOCK));
	return 0;
}

static bool families_are_recorded(void)
{
	return await_refused_socket(AF_PACKET, ORIGIN_JOB) && await_refused_socket(AF_XDP, ORIGIN_JOB) &&
	       await_refused_socket(AF_VSOCK, ORIGIN_JOB);
}

/* Has the worker start a process: what it says. */
static bool job_says(const char *words)
{
	FILE *ask = fopen("/run/ask", "w"), *told;
	char line[128] = "";

	fputs("job\n", ask);
	fclose(ask);
	told = fopen("/run/told", "r");
	(void)!fgets(line, sizeof(line), told);
	fclose(told);
	return !strcmp(line, words) || fails(line);
}

/* Every way works while nothing stands in it. */
static void try_before(void)
{
	for (size_t i = 0; i < COUNT(links); i++)
		tell(35, links[i].what, "open before the wall", is_open(&links[i]));
	for (size_t i = 0; i < COUNT(tunnels); i++)
		tell(31, tunnels[i].what, "open before the wall", tunnel_is_open(&tunnels[i]));
	for (size_t i = 0; i < COUNT(protocols); i++)
		tell(31, protocols[i].what, "open before the wall", protocol_is_open(&protocols[i]));
	for (size_t i = 0; i < COUNT(exotics); i++)
		tell(7, exotics[i].what, "open before the wall", exotic_is_open(&exotics[i]));
	tell(6, "a subflow to an address the server tells of", "open before the wall",
	     subflow_is_open(text_of(CLOSED4, 36)));
	tell(26, "packet, XDP and vsock sockets of the job", "open before the wall",
	     job_says("packet 0 xdp 0 vsock 0\n"));
}

static void try_behind(void)
{
	static const struct link late[] = {
		{"a NIC that comes after the start", "hot0", 40},
		{"a VLAN device that comes after the start", "up0.41", 41},
	};

	for (size_t i = 0; i < COUNT(links); i++)
		tell(35, links[i].what, "closed, each attempt recorded once", is_judged(&links[i]));
	for (size_t i = 0; i < COUNT(late); i++)
		tell(35, late[i].what, "closed, each attempt recorded once",
		     late_is_judged(text_of(i ? "/suite/late vlan " : "/suite/late nic ", late[i].number),
				    &late[i]));
	for (size_t i = 0; i < COUNT(tunnels); i++)
		tell(31, tunnels[i].what, "closed", tunnel_is_judged(&tunnels[i]));
	for (size_t i = 0; i < COUNT(protocols); i++)
		tell(31, protocols[i].what, "closed, to an allowed address too",
		     protocol_is_judged(&protocols[i]));
	for (size_t i = 0; i < COUNT(exotics); i++)
		tell(7, exotics[i].what, "closed, to an allowed address too", exotic_is_judged(&exotics[i]));
	tell(6, "multipath TCP", "closed", mptcp_is_judged());
	tell(6, "a subflow to an address the server tells of", "closed",
	     subflow_is_judged(text_of(CLOSED4, 36)));
	tell(26, "packet, XDP and vsock sockets of the job (26, 27, 33)", "closed",
	     job_says("packet 1 xdp 1 vsock 1\n"));
	tell(26, "packet, XDP and vsock sockets of the job, a record each", "closed",
	     families_are_recorded());
	tell(26, "PACKET_QDISC_BYPASS by a service of root's", "closed",
	     stays_in_the_queue(past_the_queue, text_of(CLOSED4, 50), AF_PACKET));
	tell(27, "AF_XDP by a service of root's", "closed",
	     stays_in_the_queue(by_xdp, text_of(CLOSED4, 51), AF_XDP));
	tell(33, "AF_VSOCK by a service", "documented limit L2", is_beyond());
}

int main(int argc, char **argv)
{
	if (argc == 2)
		return job();
	if (argc != 3)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	open_internet(argv[1]);
	try_before();
	try_stacks_before();
	check("every program loads and attaches, the wall is proved on every device", starts(argv[2]));
	try_behind();
	try_stacks_behind();
	return 0;
}
