/* SPDX-License-Identifier: Apache-2.0 */
/* The first frame of a daemon's life. */
#include <arpa/inet.h>
#include <stdio.h>

#include "clock.h"
#include "config.h"
#include "hello.h"
#include "network.h"

static void hello_sockets(FILE *f, const struct session *s)
{
	for (size_t i = 0; i < s->socket_count; i++) {
		const struct proxy_socket *p = &s->sockets[i];

		fprintf(f, "%s{\"fd\":%zu,\"proto\":\"%s\",\"runner\":%s,\"address\":\"%s\"}", i ? "," : "",
			5 + i, p->tcp ? "tcp" : "udp", p->runner ? "true" : "false", p->address);
	}
}

char *hello_text(const struct session *s, bool restarted, size_t *size)
{
	size_t count;
	const struct own_address *own = network_own(&count);
	char *text = NULL;
	FILE *f = open_memstream(&text, size);

	fprintf(f, "{\"abi\":%d,\"restarted\":%s,\"audit\":4,\"proxyPort\":%u,\"canaryPort\":%u,",
		ABI_VERSION, restarted ? "true" : "false", s->proxy_port, s->canary_port);
	fprintf(f, "\"monotonicNs\":\"%llu\",\"realtimeNs\":\"%llu\",\"hostNetns\":\"%llu\",\"sockets\":[",
		(unsigned long long)now_ns(CLOCK_MONOTONIC), (unsigned long long)now_ns(CLOCK_REALTIME),
		(unsigned long long)config_now()->host_netns);
	hello_sockets(f, s);
	fprintf(f, "],\"own\":[");
	for (size_t i = 0; i < count; i++) {
		char a[64];

		inet_ntop(AF_INET6, own[i].addr.b, a, sizeof(a));
		fprintf(f, "%s\"%s\"", i ? "," : "", a);
	}
	fprintf(f, "],\"session\":%s}", s->settings);
	fclose(f);
	return text;
}
