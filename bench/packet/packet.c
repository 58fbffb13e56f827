/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nanoseconds a run of the packet programs over the number of grants, by BPF_PROG_TEST_RUN: one
 * packet of an established flow, whose verdict its socket remembers and whose bytes it gathers
 * (cgroup_skb), and the same frame without a socket (TC), which is judged anew each time. The empty program is the harness's
 * own cost. Attaches nothing.
 * Exit codes: 0, 1 when something failed (said on stderr), 2 usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "abi.h"

#define SO_NETNS_COOKIE 71
#define ROUNDS 9
#define REPEAT 500000
#define FRAME_SIZE (14 + 20 + 20 + 64)

/* The nth granted address, 11.x.y.z spread out. */
static void granted_address(struct address *a, unsigned int n)
{
	unsigned int number = 0x0b000000 + n * 37;

	memset(a, 0, sizeof(*a));
	a->b[10] = a->b[11] = 0xff;
	for (int i = 0; i < 4; i++)
		a->b[12 + i] = (unsigned char)(number >> (24 - 8 * i));
}

/* 10.0.0.2: a source that is not the machine's is refused. */
static void own_address(struct address *a)
{
	memset(a, 0, sizeof(*a));
	a->b[10] = a->b[11] = 0xff;
	a->b[12] = 10;
	a->b[15] = 2;
}

/* A TCP segment from 10.0.0.2 to the address, port 443, flag ACK. */
static void frame_to(unsigned char *f, const struct address *to)
{
	memset(f, 0, FRAME_SIZE);
	f[12] = 8;
	f[14] = 0x45;
	f[17] = FRAME_SIZE - 14;
	f[22] = 64;
	f[23] = 6;
	f[26] = 10;
	f[29] = 2;
	memcpy(f + 30, to->b + 12, 4);
	f[34] = 0xc0;
	f[36] = 443 >> 8;
	f[37] = 443 & 255;
	f[46] = 0x50;
	f[47] = 0x10;
}

static int map_fd(struct bpf_object *object, const char *name)
{
	return bpf_object__find_map_fd_by_name(object, name);
}

/* The cookie of our network namespace: the bytes of its sockets are counted. */
static unsigned long long own_netns(void)
{
	unsigned long long cookie = 0;
	socklen_t size = sizeof(cookie);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size);
	close(fd);
	return cookie;
}

static int fill(struct bpf_object *object, unsigned int grants)
{
	struct config config = {.version = ABI_VERSION, .mode = MODE_ENFORCE, .host_netns = own_netns()};
	struct policy_config policy = {.generation = 1, .flow_idle_ns = 300000000000ULL};
	struct local_key own = {.prefixlen = 128};
	struct local_value is_own = {.prefixlen = 128, .flags = LOCAL_OWN};
	unsigned int zero = 0;

	own_address(&own.addr);
	if (bpf_map_update_elem(map_fd(object, "locals"), &own, &is_own, BPF_ANY) ||
	    bpf_map_update_elem(map_fd(object, "config"), &zero, &config, BPF_ANY) ||
	    bpf_map_update_elem(map_fd(object, "policy"), &zero, &policy, BPF_ANY))
		return -1;
	for (unsigned int i = 0; i < grants; i++) {
		struct grant_key key = {.kind = KIND_USER, .proto = 6, .port = 443};
		struct grant_value value = {.expires_ns = ~0ULL};

		granted_address(&key.addr, i);
		if (bpf_map_update_elem(map_fd(object, "grants"), &key, &value, BPF_ANY))
			return -1;
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	return (*(const unsigned int *)a > *(const unsigned int *)b) -
	       (*(const unsigned int *)a < *(const unsigned int *)b);
}

/* The median of the rounds in ns, or -1: not run, or not the verdict expected. */
static int measure(int program, const unsigned char *frame, unsigned int expected)
{
	unsigned int ns[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = FRAME_SIZE,
			    .repeat = REPEAT);

		if (bpf_prog_test_run_opts(program, &run) || run.retval != expected)
			return -1;
		ns[i] = run.duration;
	}
	qsort(ns, ROUNDS, sizeof(ns[0]), by_number);
	return (int)ns[ROUNDS / 2];
}

/* A program that only returns 1. */
static int empty_program(enum bpf_prog_type type)
{
	const struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1},
					{.code = BPF_JMP | BPF_EXIT}};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = type == BPF_PROG_TYPE_CGROUP_SKB ? BPF_CGROUP_INET_EGRESS : 0);

	return bpf_prog_load(type, "empty", "GPL", code, 2, &opts);
}

static int run(const char *path, unsigned int grants)
{
	static const char *const optional[] = {"egress_socket", "egress_syscall", "egress_ring"};
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	unsigned char frame[FRAME_SIZE];
	struct traffic_key told;
	struct address to;
	int floor, socket, wall;

	if (!object)
		return -1;
	/* what not every kernel takes; nothing of what is measured is in it */
	for (int i = 0; i < 3; i++)
		bpf_program__set_autoload(bpf_object__find_program_by_name(object, optional[i]), false);
	if (bpf_object__load(object) || fill(object, grants))
		return -1;
	granted_address(&to, grants / 2);
	frame_to(frame, &to);
	floor = measure(empty_program(BPF_PROG_TYPE_CGROUP_SKB), frame, 1);
	socket = measure(bpf_program__fd(bpf_object__find_program_by_name(object, "egress_skb")), frame, 1);
	wall = measure(bpf_program__fd(bpf_object__find_program_by_name(object, "egress_tc")), frame,
		       (unsigned int)-1);
	if (bpf_map_get_next_key(map_fd(object, "traffic"), NULL, &told))
		socket = -1; /* nothing was counted */
	bpf_object__close(object);
	if (floor < 0 || socket < 0 || wall < 0)
		return -1;
	printf("%8u %11d %13d %15d\n", grants, floor, socket, wall);
	return 0;
}

int main(int argc, char **argv)
{
	static const unsigned int grants[] = {10, 1000, 10000};

	if (argc != 2) {
		fprintf(stderr, "usage: packet OBJECT\n");
		return 2;
	}
	printf("  grants  empty (ns)  socket (ns)  no socket (ns)\n");
	for (size_t i = 0; i < sizeof(grants) / sizeof(grants[0]); i++)
		if (run(argv[1], grants[i])) {
			fprintf(stderr, "packet: %u grants: not measured\n", grants[i]);
			return 1;
		}
	return 0;
}
