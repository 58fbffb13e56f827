/* SPDX-License-Identifier: Apache-2.0 */
/* What NAT makes of open flows, read from the machine's connection tracking. It decides nothing. */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "conntrack.h"

/* An address in the one spelling of this file's callers. */
static void spell(char text[64])
{
	struct in6_addr a;

	if (inet_pton(AF_INET6, text, &a) == 1)
		inet_ntop(AF_INET6, &a, text, 64);
}

/* One direction of a flow; false when the line has none there. */
static bool read_tuple(const char *at, struct tuple *t)
{
	return at &&
	       sscanf(at, "src=%63s dst=%63s sport=%u dport=%u", t->src, t->dst, &t->sport, &t->dport) == 4;
}

static bool read_line(const char *line, struct tuple *sent, struct tuple *answered, unsigned int *proto)
{
	const char *first = strstr(line, "src=");

	if (!first || sscanf(line, "%*s %*u %*s %u", proto) != 1)
		return false;
	if (!read_tuple(first, sent) || !read_tuple(strstr(first + 4, "src="), answered))
		return false;
	spell(sent->src);
	spell(sent->dst);
	spell(answered->src);
	spell(answered->dst);
	return true;
}

void conntrack_each(void (*visit)(unsigned int proto, const struct tuple *sent, const struct tuple *out))
{
	FILE *f = fopen("/proc/thread-self/net/nf_conntrack", "re");
	struct tuple sent, answered;
	unsigned int proto;
	char line[1024];

	while (f && fgets(line, sizeof(line), f)) {
		struct tuple out = {};

		if (!read_line(line, &sent, &answered, &proto))
			continue;
		/* where the answers go is where it was sent from */
		memcpy(out.src, answered.dst, sizeof(out.src));
		memcpy(out.dst, answered.src, sizeof(out.dst));
		out.sport = answered.dport;
		out.dport = answered.sport;
		visit(proto, &sent, &out);
	}
	if (f)
		fclose(f);
}
