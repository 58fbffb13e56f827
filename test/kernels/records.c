/* SPDX-License-Identifier: Apache-2.0 */
/* The log as the stand-in daemon writes it: events as hex, notices as text. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../bpf/abi.h"
#include "guest.h"

/* The event of a line of the log; false: it is none. */
static bool event_of(const char *line, struct event *e)
{
	unsigned char bytes[sizeof(*e)];

	if (strlen(line) != 2 * sizeof(*e) + 1)
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		unsigned int byte;

		if (sscanf(line + 2 * i, "%2x", &byte) != 1)
			return false;
		bytes[i] = (unsigned char)byte;
	}
	memcpy(e, bytes, sizeof(*e));
	return true;
}

/* Whether a line of the log is of a flow to an address, with this verdict. */
static bool is_of(const char *line, const char *to, bool allowed)
{
	struct sockaddr_storage a;
	struct event e;

	if (!event_of(line, &e))
		return false;
	address_of(&a, to, 0);
	if (e.flow.allowed != allowed)
		return false;
	if (e.flow.ip_version == 4)
		return e.flow.dst_ip == ntohl(((struct sockaddr_in *)&a)->sin_addr.s_addr);
	return !memcmp(e.flow.dst_ip6, &((struct sockaddr_in6 *)&a)->sin6_addr, 16);
}

unsigned int recorded(const char *to, bool allowed)
{
	char line[4096];
	unsigned int found = 0;
	FILE *f = fopen(LOG, "re");

	while (f && fgets(line, sizeof(line), f))
		found += is_of(line, to, allowed);
	if (f)
		fclose(f);
	return found;
}

unsigned int refusals(const char *to)
{
	return recorded(to, false);
}

bool await_refusal(const char *to, unsigned int before)
{
	for (time_t since = time(NULL); !is_over(since); usleep(20000)) /* nobody tells of a line */
		if (refusals(to) > before)
			return true;
	return fails("no record");
}

static bool has_refused_socket(unsigned int family, enum origin origin)
{
	char line[4096];
	struct event e;
	FILE *f = fopen(LOG, "re");
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = event_of(line, &e) && e.ext.by == BY_SOCKET && e.ext.ethertype == family &&
			!e.flow.allowed && e.ext.origin == origin;
	if (f)
		fclose(f);
	return found;
}

bool await_refused_socket(unsigned int family, enum origin origin)
{
	for (time_t since = time(NULL); !is_over(since); usleep(20000))
		if (has_refused_socket(family, origin))
			return true;
	return fails("no record");
}

bool log_is_complete(void)
{
	static unsigned int count;
	char last[32];

	snprintf(last, sizeof(last), "203.0.113.%u", count++ % 250 + 1);
	datagram(last, "last");
	return await_refusal(last, count / 251);
}

bool log_has(const char *text)
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
