/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process of the job in a guest: starts the loader, then tries ways of sending. probe INTERNET WORKER
 * WALL: pids of the internet's namespace and of the worker, "tcx" or "clsact". One line a check. What is
 * refused must be seen nowhere by a sniffer on the far side and have a record; the same way to what is
 * allowed must arrive.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../../bpf/abi.h"

#define LOG "/run/cargowall/records/audit.jsonl"
#define PATIENCE_S 60 /* emulated machines are slow; nothing waits for a clock but what fails */

/* One way of sending a text; 0 or -errno. */
typedef int (*way)(const char *to, const char *text);

static const char allowed4[] = "198.51.100.10", refused4[] = "198.51.100.20";
static const char allowed6[] = "2001:db8:1::10", refused6[] = "2001:db8:1::20";
static const char allowed_mapped[] = "::ffff:198.51.100.10", refused_mapped[] = "::ffff:198.51.100.20";
static int sniffer;
static char reason[512];
static char attached[1024]; /* what the loader says of hooks and wall */

static bool fails(const char *what)
{
	if (!reason[0])
		snprintf(reason, sizeof(reason), "%s", what);
	return false;
}

static void check(const char *name, bool passed)
{
	if (passed)
		printf("ok %s\n", name);
	else
		printf("failed %s: %s\n", name, reason);
	fflush(stdout);
	reason[0] = 0;
}

static bool is_over(time_t since)
{
	return time(NULL) - since > PATIENCE_S;
}

/* Enters a process's network namespace. */
static void enter(const char *pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		exit(1);
	close(fd);
}

static socklen_t address_of(struct sockaddr_storage *out, const char *text, uint16_t port)
{
	struct sockaddr_in *v4 = (void *)out;
	struct sockaddr_in6 *v6 = (void *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	inet_pton(AF_INET6, text, &v6->sin6_addr);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	return sizeof(*v6);
}

static int tcp_open(const char *to)
{
	struct timeval limit = {.tv_sec = 3};
	struct sockaddr_storage a;
	socklen_t size = address_of(&a, to, 443);
	int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!connect(fd, (void *)&a, size))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int stream(const char *to, const char *text)
{
	int fd = tcp_open(to), err = 0;

	if (fd < 0)
		return fd;
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int fast_open(const char *to, const char *text)
{
	struct sockaddr_storage a;
	socklen_t size = address_of(&a, to, 443);
	int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), err = 0;

	if (sendto(fd, text, strlen(text), MSG_FASTOPEN | MSG_NOSIGNAL, (void *)&a, size) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int datagram(const char *to, const char *text)
{
	struct sockaddr_storage a;
	socklen_t size = address_of(&a, to, 9);
	int fd = socket(a.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (sendto(fd, text, strlen(text), 0, (void *)&a, size) < 0)
		err = -errno;
	close(fd);
	return err;
}

static uint16_t checksum(const void *p, size_t size)
{
	const unsigned char *b = p;
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += i % 2 ? b[i] : (uint32_t)b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* ICMP echo by a raw socket. */
static int raw_icmp(const char *to, const char *text)
{
	unsigned char packet[256] = {8, 0, 0, 0, 0, 1, 0, 1};
	size_t length = 8 + strlen(text);
	struct sockaddr_storage a;
	socklen_t size = address_of(&a, to, 0);
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP), err = 0;
	uint16_t sum;

	memcpy(packet + 8, text, strlen(text));
	sum = checksum(packet, length);
	memcpy(packet + 2, &sum, sizeof(sum));
	if (sendto(fd, packet, length, 0, (void *)&a, size) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* An IPv4 packet with a UDP datagram to port 9, of a flow of its own. */
static size_t packet_to(unsigned char *out, const char *to, const char *text)
{
	static uint16_t port = 20000;
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP};
	struct udphdr udp = {.source = htons(port++), .dest = htons(9)};
	size_t size = sizeof(ip) + sizeof(udp) + strlen(text);

	ip.tot_len = htons((uint16_t)size);
	ip.saddr = inet_addr("192.0.2.2");
	ip.daddr = inet_addr(to);
	ip.check = checksum(&ip, sizeof(ip));
	udp.len = htons((uint16_t)(size - sizeof(ip)));
	memcpy(out, &ip, sizeof(ip));
	memcpy(out + sizeof(ip), &udp, sizeof(udp));
	memcpy(out + sizeof(ip) + sizeof(udp), text, strlen(text));
	return size;
}

/* A header of its own: the call is told another address than the header has. */
static int own_header(const char *to, const char *text)
{
	unsigned char packet[256];
	size_t length = packet_to(packet, to, text);
	struct sockaddr_storage a;
	socklen_t size = address_of(&a, allowed4, 0);
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), err = 0;

	if (sendto(fd, packet, length, 0, (void *)&a, size) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* A whole frame on the uplink: no hook of the cgroup sees it. */
static int whole_frame(const char *to, const char *text)
{
	struct sockaddr_ll a = {
		.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("up0"), .sll_halen = ETH_ALEN};
	unsigned char frame[256] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 2, 2, 2, 2, 2, 8, 0};
	size_t length = ETH_HLEN + packet_to(frame + ETH_HLEN, to, text);
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), err = 0;

	if (sendto(fd, frame, length, 0, (void *)&a, sizeof(a)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Whether the sniffer sees a text before another, or before patience ends. */
static bool sees(const char *text, const char *last)
{
	static unsigned char frame[1 << 16];
	time_t since = time(NULL);

	while (!is_over(since)) {
		struct sockaddr_ll from;
		socklen_t size = sizeof(from);
		struct pollfd wait = {sniffer, POLLIN, 0};
		ssize_t n;

		if (poll(&wait, 1, 1000) < 1)
			continue;
		n = recvfrom(sniffer, frame, sizeof(frame), 0, (void *)&from, &size);
		if (n <= 0 || from.sll_pkttype == PACKET_OUTGOING)
			continue;
		if (memmem(frame, (size_t)n, text, strlen(text)))
			return true;
		if (last && memmem(frame, (size_t)n, last, strlen(last)))
			return false;
	}
	return last ? !fails("the barrier was not seen") : false;
}

/* Whether a text has left: a datagram that passes is sent behind it, and seen. */
static bool has_left(const char *text)
{
	static unsigned int count;
	char barrier[32];

	snprintf(barrier, sizeof(barrier), "barrier-%u!", count++);
	return datagram(allowed4, barrier) || sees(text, barrier);
}

/* Whether a line of the log is of a refused flow to an address. */
static bool is_refusal(const char *line, const char *to)
{
	unsigned char bytes[sizeof(struct event)];
	struct sockaddr_storage a;
	struct event e;

	for (size_t i = 0; i < sizeof(bytes); i++) {
		unsigned int byte;

		if (sscanf(line + 2 * i, "%2x", &byte) != 1)
			return false;
		bytes[i] = (unsigned char)byte;
	}
	memcpy(&e, bytes, sizeof(e));
	address_of(&a, to, 0);
	if (e.flow.allowed)
		return false;
	if (e.flow.ip_version == 4)
		return e.flow.dst_ip == ntohl(((struct sockaddr_in *)&a)->sin_addr.s_addr);
	return !memcmp(e.flow.dst_ip6, &((struct sockaddr_in6 *)&a)->sin6_addr, 16);
}

static unsigned int refusals(const char *to)
{
	char line[4096];
	unsigned int found = 0;
	FILE *f = fopen(LOG, "re");

	while (f && fgets(line, sizeof(line), f))
		found += strlen(line) == 2 * sizeof(struct event) + 1 && is_refusal(line, to);
	if (f)
		fclose(f);
	return found;
}

static bool await_refusal(const char *to, unsigned int before)
{
	for (time_t since = time(NULL); !is_over(since); usleep(20000)) /* nobody tells of a line */
		if (refusals(to) > before)
			return true;
	return fails("no record");
}

/* One way: what is allowed arrives, what is refused fails as it must, is recorded and does not. */
static bool tries(way send, const char *allowed, const char *refused, int expected)
{
	static unsigned int count;
	const char *recorded = refused == refused_mapped ? refused4 : refused;
	unsigned int before = refusals(recorded);
	char text[32];
	int err;

	snprintf(text, sizeof(text), "control-%u!", count++);
	err = send(allowed, text);
	if (err) {
		snprintf(reason, sizeof(reason), "the control failed: %s", strerror(-err));
		return false;
	}
	if (!sees(text, NULL))
		return fails("the control did not arrive");
	snprintf(text, sizeof(text), "refused-%u!", count++);
	err = send(refused, text);
	if (err != expected) {
		snprintf(reason, sizeof(reason), "the call said %s", strerror(-err));
		return false;
	}
	if (has_left(text))
		return fails("what is refused has left the machine");
	return await_refusal(recorded, before);
}

/* A question to a server that is not there, by a way to it. */
static bool asks(const char *server)
{
	static const unsigned char question[] = "\0\x09\x01\0\0\1\0\0\0\0\0\0"
						"\x0bquestion-m!\x07"
						"example\0\0\1\0\1";
	unsigned char answer[512];
	struct sockaddr_storage a, from;
	socklen_t size = address_of(&a, server, 53), from_size = sizeof(from);
	int fd = socket(a.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd wait = {fd, POLLIN, 0};
	ssize_t n = -1;

	if (sendto(fd, question, sizeof(question) - 1, 0, (void *)&a, size) < 0)
		return fails("the question could not be sent");
	if (poll(&wait, 1, PATIENCE_S * 1000) == 1)
		n = recvfrom(fd, answer, sizeof(answer), 0, (void *)&from, &from_size);
	close(fd);
	if (n < 12 || (answer[3] & 15) != 5)
		return fails("no refusal from the proxy");
	if (from_size != size || memcmp(&from, &a, a.ss_family == AF_INET ? 8 : 24))
		return fails("the answer does not seem to come from the server that was asked");
	return has_left("question-m!") ? fails("the question has left the machine") : true;
}

static size_t put_write(unsigned char *out, unsigned char map, const void *key, size_t key_size,
			const void *value, size_t value_size)
{
	memset(out, 0, 8);
	out[0] = 1;
	out[1] = map;
	out[2] = (unsigned char)key_size;
	out[4] = (unsigned char)value_size;
	memcpy(out + 8, key, key_size);
	memcpy(out + 8 + key_size, value, value_size);
	return 8 + key_size + value_size;
}

static size_t put_rule(unsigned char *out, const char *to, unsigned char proto, unsigned short port)
{
	struct rule_key k = {.prefixlen = 64 + 128, .proto = proto, .port = port};
	struct rule_value v = {.rule = 1, .verdict = VERDICT_ALLOW, .prefixlen = 128};

	inet_pton(AF_INET6, to, k.addr.b);
	return put_write(out, MAP_RULES, &k, sizeof(k), &v, sizeof(v));
}

static void send_session(int fd)
{
	struct policy_config p = {.generation = 1, .flow_idle_ns = 300000000000ULL};
	unsigned char writes[1024];
	uint32_t zero = 0;
	size_t n = put_write(writes, MAP_POLICY, &zero, sizeof(zero), &p, sizeof(p));

	n += put_rule(writes + n, allowed_mapped, IPPROTO_TCP, 443);
	n += put_rule(writes + n, allowed_mapped, IPPROTO_UDP, 9);
	n += put_rule(writes + n, allowed_mapped, IPPROTO_ICMP, 0);
	n += put_rule(writes + n, allowed6, IPPROTO_TCP, 443);
	n += put_rule(writes + n, allowed6, IPPROTO_UDP, 9);
	dprintf(fd, "{\"writes\":\"");
	for (size_t i = 0; i < n; i++)
		dprintf(fd, "%02x", writes[i]);
	dprintf(fd, "\"}\n");
}

/* Starts the loader as main does; whether it says green, and that wall and pins are proved. */
static bool starts(const char *worker)
{
	int in[2], out[2];
	char line[1024];
	FILE *said;

	if (pipe(in) || pipe(out))
		return fails("no pipe");
	if (!fork()) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		for (int i = 0; i < 2; i++) {
			close(in[i]);
			close(out[i]);
		}
		execl("/loader", "/loader", "start", "--cgroup", "/sys/fs/cgroup/lab", "--uid", "0",
		      "--worker", worker, "--node", "/standin", "--daemon", "/daemon", "--object",
		      "/egress.bpf.o", NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	send_session(in[1]);
	said = fdopen(out[0], "r");
	while (said && fgets(line, sizeof(line), said)) {
		if (strstr(line, "\"attached\""))
			memcpy(attached, line, sizeof(attached));
		if (strstr(line, "\"applied\":0,\"flipped\":0,\"wall\":0,\"pin\":0"))
			return true;
		if (strstr(line, "\"error\"") || strstr(line, "\"green\""))
			return fails(line);
	}
	return fails("the loader ended without a word");
}

static bool has_link(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/run/cargowall/bpf/link_tc_%u", if_nametoindex("up0"));
	return !access(path, F_OK);
}

/* Whether the wall is what it should be on this kernel, and the loader says so. */
static bool is_wall(bool tcx)
{
	if (has_link() != tcx)
		return fails("the wall is of the other kind");
	return strstr(attached, tcx ? "up0 by TCX" : "up0 by clsact") ? true : fails(attached);
}

static int detach_link(void)
{
	union bpf_attr attr = {};
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/run/cargowall/bpf/link_tc_%u", if_nametoindex("up0"));
	attr.pathname = (uint64_t)(uintptr_t)path;
	fd = (int)syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr));
	memset(&attr, 0, sizeof(attr));
	attr.link_detach.link_fd = (uint32_t)fd;
	return fd < 0 ? -1 : (int)syscall(SYS_bpf, BPF_LINK_DETACH, &attr, sizeof(attr));
}

/* Removes the hook the filter is at. */
static int delete_clsact(void)
{
	struct {
		struct nlmsghdr h;
		struct tcmsg t;
	} q = {.h = {sizeof(q), RTM_DELQDISC, NLM_F_REQUEST | NLM_F_ACK, 1, 0},
	       .t = {.tcm_ifindex = (int)if_nametoindex("up0"), .tcm_parent = TC_H_CLSACT}};
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[256];
	} reply = {};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (send(fd, &q, sizeof(q), 0) < 0 || recv(fd, &reply, sizeof(reply), 0) < 0)
		return -1;
	close(fd);
	return reply.e.error;
}

static bool log_has(const char *text)
{
	char line[4096];
	FILE *f = fopen(LOG, "re");
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, text);
	if (f)
		fclose(f);
	return found;
}

/* The wall is taken away, told, and back. */
static bool mends(void)
{
	if (has_link() ? detach_link() : delete_clsact())
		return fails("the wall could not be taken away");
	for (time_t since = time(NULL); !log_has("it stands again"); usleep(20000))
		if (is_over(since))
			return fails("nobody tells that the wall stands again");
	return tries(whole_frame, allowed4, refused4, -ENOBUFS);
}

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

/* What an open socket has sent is counted, and what a frame socket has sent. */
static bool counts(void)
{
	static const char text[77] = {'x'};
	unsigned long long before = 0, again;
	struct sockaddr_storage a;
	socklen_t size = address_of(&a, allowed6, 9);
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
	return !whole_frame(allowed4, "counted!") && await_bytes(before + 10 * sizeof(text) + 8);
}

/* Nothing is left when the worker is gone. */
static bool ends(const char *worker)
{
	kill(atoi(worker), SIGKILL);
	for (time_t since = time(NULL); !access("/run/cargowall", F_OK); usleep(20000))
		if (is_over(since))
			return fails("the loader's mounts are still there");
	/* the links go with the last process that holds them */
	for (time_t since = time(NULL);
	     stream(refused4, "after-call!") || whole_frame(refused4, "after-frame!"); usleep(20000))
		if (is_over(since))
			return fails("something is still refused");
	return sees("after-frame!", NULL) && delete_clsact() ? true : fails("a filter is left");
}

static void listen_at(const char *address)
{
	struct sockaddr_storage a;
	socklen_t size = address_of(&a, address, 443);
	int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (void *)&a, size) || listen(fd, 64))
		exit(1);
}

/* The far side: servers that take connections, and a sniffer of all that comes. */
static void open_internet(const char *internet)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};

	enter(internet);
	listen_at(allowed4);
	listen_at(refused4);
	listen_at(allowed6);
	listen_at(refused6);
	sniffer = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	a.sll_ifindex = (int)if_nametoindex("veth0");
	if (bind(sniffer, (void *)&a, sizeof(a)))
		exit(1);
	enter("1");
}

static bool older_flows(int allowed, int refused)
{
	if (send(allowed, "older-allowed!", 14, MSG_NOSIGNAL) < 0 || !sees("older-allowed!", NULL))
		return fails("the allowed one does not go on");
	(void)!send(refused, "older-refused!", 14, MSG_NOSIGNAL); /* how it fails is the kernel's */
	return has_left("older-refused!") ? fails("the refused one goes on") : await_refusal(refused4, 0);
}

int main(int argc, char **argv)
{
	int allowed, refused;

	if (argc != 4)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	open_internet(argv[1]);
	allowed = tcp_open(allowed4);
	refused = tcp_open(refused4);
	check("connections before the start", allowed >= 0 && refused >= 0);
	if (!starts(argv[2])) {
		check("every program loads and attaches, the wall is proved", false);
		return 1;
	}
	check("every program loads and attaches, the wall is proved", true);
	check(argv[3], is_wall(!strcmp(argv[3], "tcx")));
	check("flows older than the wall", older_flows(allowed, refused));
	check("connect() over IPv4", tries(stream, allowed4, refused4, -EPERM));
	check("connect() over IPv6", tries(stream, allowed6, refused6, -EPERM));
	check("connect() to a mapped address", tries(stream, allowed_mapped, refused_mapped, -EPERM));
	check("TCP Fast Open", tries(fast_open, allowed4, refused4, -EPERM));
	check("sendto() over IPv4", tries(datagram, allowed4, refused4, -EPERM));
	check("sendto() over IPv6", tries(datagram, allowed6, refused6, -EPERM));
	check("sendto() to a mapped address", tries(datagram, allowed_mapped, refused_mapped, -EPERM));
	check("raw ICMP", tries(raw_icmp, allowed4, refused4, -EPERM));
	check("a header of its own", tries(own_header, allowed4, refused4, -EPERM));
	check("a whole frame", tries(whole_frame, allowed4, refused4, -ENOBUFS));
	check("a question over IPv4 is steered", asks(refused4));
	check("a question over IPv6 is steered", asks(refused6));
	check("bytes sent are counted", counts());
	check("a wall that is taken away is told and stands again", mends());
	check("nothing is left when the worker is gone", ends(argv[2]));
	return 0;
}
