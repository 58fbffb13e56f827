/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process of the job in a guest: starts the loader, then tries ways of sending. wall INTERNET WORKER
 * WALL: pids of the internet's namespace and of the worker, "tcx" or "clsact". One line a check. What is
 * refused must be seen nowhere by a sniffer on the far side and have a record; the same way to what is
 * allowed must arrive.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

/* One way: what is allowed arrives, what is refused fails as it must, is recorded and does not. */
static bool tries(way send, const char *allowed, const char *refused, int expected)
{
	static unsigned int count;
	const char *recorded = strcmp(refused, REFUSED_MAPPED) ? refused : REFUSED4;
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

/* The wall is taken away, told, and back. */
static bool mends(void)
{
	if (has_link() ? detach_link() : delete_clsact())
		return fails("the wall could not be taken away");
	for (time_t since = time(NULL); !log_has("it stands again"); usleep(20000))
		if (is_over(since))
			return fails("nobody tells that the wall stands again");
	return tries(whole_frame, ALLOWED4, REFUSED4, -ENOBUFS);
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
	     stream(REFUSED4, "after-call!") || whole_frame(REFUSED4, "after-frame!"); usleep(20000))
		if (is_over(since))
			return fails("something is still refused");
	return sees("after-frame!", NULL) && delete_clsact() ? true : fails("a filter is left");
}

static bool older_flows(int allowed, int refused)
{
	if (send(allowed, "older-allowed!", 14, MSG_NOSIGNAL) < 0 || !sees("older-allowed!", NULL))
		return fails("the allowed one does not go on");
	(void)!send(refused, "older-refused!", 14, MSG_NOSIGNAL); /* how it fails is the kernel's */
	return has_left("older-refused!") ? fails("the refused one goes on") : await_refusal(REFUSED4, 0);
}

int main(int argc, char **argv)
{
	int allowed, refused;

	if (argc != 4)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	open_internet(argv[1]);
	allowed = tcp_open(ALLOWED4);
	refused = tcp_open(REFUSED4);
	check("connections before the start", allowed >= 0 && refused >= 0);
	if (!starts(argv[2])) {
		check("every program loads and attaches, the wall is proved", false);
		return 1;
	}
	check("every program loads and attaches, the wall is proved", true);
	check(argv[3], is_wall(!strcmp(argv[3], "tcx")));
	check("flows older than the wall", older_flows(allowed, refused));
	check("connect() over IPv4", tries(stream, ALLOWED4, REFUSED4, -EPERM));
	check("connect() over IPv6", tries(stream, ALLOWED6, REFUSED6, -EPERM));
	check("connect() to a mapped address", tries(stream, ALLOWED_MAPPED, REFUSED_MAPPED, -EPERM));
	check("TCP Fast Open", tries(fast_open, ALLOWED4, REFUSED4, -EPERM));
	check("sendto() over IPv4", tries(datagram, ALLOWED4, REFUSED4, -EPERM));
	check("sendto() over IPv6", tries(datagram, ALLOWED6, REFUSED6, -EPERM));
	check("sendto() to a mapped address", tries(datagram, ALLOWED_MAPPED, REFUSED_MAPPED, -EPERM));
	check("raw ICMP", tries(raw_icmp, ALLOWED4, REFUSED4, -EPERM));
	check("a header of its own", tries(own_header, ALLOWED4, REFUSED4, -EPERM));
	check("a whole frame", tries(whole_frame, ALLOWED4, REFUSED4, -ENOBUFS));
	check("a question over IPv4 is steered", asks(REFUSED4));
	check("a question over IPv6 is steered", asks(REFUSED6));
	check("bytes sent are counted", bytes_are_counted());
	check("a wall that is taken away is told and stands again", mends());
	check("nothing is left when the worker is gone", ends(argv[2]));
	return 0;
}
