/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the loader as main does, with a policy for the far side's addresses. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../bpf/abi.h"
#include "guest.h"

char attached[1024];

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

static size_t put_prefix(unsigned char *out, const char *to, unsigned char length, unsigned char proto,
			 unsigned short port)
{
	struct rule_key k = {.prefixlen = 64U + length, .proto = proto, .port = port};
	struct rule_value v = {.rule = 1, .verdict = VERDICT_ALLOW, .prefixlen = length};

	inet_pton(AF_INET6, to, k.addr.b);
	return put_write(out, MAP_RULES, &k, sizeof(k), &v, sizeof(v));
}

static size_t put_rule(unsigned char *out, const char *to, unsigned char proto, unsigned short port)
{
	return put_prefix(out, to, 128, proto, port);
}

static void send_session(int fd)
{
	struct policy_config p = {.generation = 1, .flow_idle_ns = 300000000000ULL};
	unsigned char writes[1024];
	uint32_t zero = 0;
	size_t n = put_write(writes, MAP_POLICY, &zero, sizeof(zero), &p, sizeof(p));

	n += put_rule(writes + n, ALLOWED_MAPPED, IPPROTO_TCP, 443);
	n += put_rule(writes + n, ALLOWED_MAPPED, IPPROTO_UDP, 9);
	n += put_rule(writes + n, ALLOWED_MAPPED, IPPROTO_ICMP, 0);
	n += put_rule(writes + n, ALLOWED6, IPPROTO_TCP, 443);
	n += put_rule(writes + n, ALLOWED6, IPPROTO_UDP, 9);
	n += put_prefix(writes + n, "::ffff:198.51.101.0", 96 + 24, IPPROTO_UDP, 0);
	n += put_prefix(writes + n, "2001:db8:2::", 64, IPPROTO_UDP, 0);
	dprintf(fd, "{\"writes\":\"");
	for (size_t i = 0; i < n; i++)
		dprintf(fd, "%02x", writes[i]);
	dprintf(fd, "\"}\n");
}

/* Starts the loader as main does; whether it says green, and that wall and pins are proved. */
bool starts(const char *worker)
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
