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

/* Whether a line of the log is of a flow to an address, with this verdict. */
static bool is_of(const char *line, const char *to, bool allowed)
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
		found += strlen(line) == 2 * sizeof(struct event) + 1 && is_of(line, to, allowed);
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
