/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open flows with their owners where one is found: all of the machine's network namespace, and in
 * other namespaces those of guarded processes.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "conntrack.h"
#include "flows.h"
#include "maps.h"
#include "netns.h"
#include "proc.h"
#include "processes.h"

struct open_flow {
	char src[64], dst[64];
	char out[64]; /* its source behind NAT; empty = not translated */
	unsigned int sport, dport, oport, proto, uid, scope, origin;
	unsigned long inode;
	uint64_t netns;
	int pid;
	bool other;
};

static struct open_flow *list;
static size_t count, room;

/* Room for one more; NULL when there is no memory. */
static struct open_flow *next_flow(void)
{
	if (count == room) {
		size_t more = room ? room * 2 : 256;
		struct open_flow *grown = realloc(list, more * sizeof(*list));

		if (!grown)
			return NULL;
		list = grown;
		room = more;
	}
	memset(&list[count], 0, sizeof(list[count]));
	return &list[count];
}

static void address_text(const char *hex, char *text)
{
	unsigned char b[16];
	size_t words = strlen(hex) / 8;

	for (size_t w = 0; w < words && w < 4; w++) {
		unsigned int v;

		sscanf(hex + w * 8, "%8x", &v);
		memcpy(b + w * 4, &v, 4);
	}
	inet_ntop(words == 1 ? AF_INET : AF_INET6, b, text, 64);
}

/* One table of /proc/net; states 01 to 03: established, SYN sent, SYN received (udp: 01). */
static void read_table(const char *path, unsigned int proto, uint64_t netns, bool other)
{
	char line[512], local[40], remote[40];
	unsigned int lport, rport, state, uid;
	unsigned long inode;
	FILE *f = fopen(path, "re");

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		struct open_flow *o = next_flow();

		if (!o)
			break;
		if (sscanf(line, "%*u: %32[0-9A-F]:%x %32[0-9A-F]:%x %x %*s %*s %*s %u %*u %lu", local,
			   &lport, remote, &rport, &state, &uid, &inode) != 7 ||
		    state < 1 || state > 3 || !rport)
			continue;
		address_text(local, o->src);
		address_text(remote, o->dst);
		o->sport = lport;
		o->dport = rport;
		o->proto = proto;
		o->uid = uid;
		o->inode = inode;
		o->netns = netns;
		o->other = other;
		o->origin = other ? ORIGIN_CONTAINER : ORIGIN_SYSTEM;
		count++;
	}
	fclose(f);
}

/* Gives a process the flows of one of its sockets. */
static bool claim(int pid, unsigned long inode, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < count; i++) {
		struct process_key k = {.tgid = (uint32_t)pid};
		struct process_value v;

		if (list[i].inode != inode || list[i].pid || (list[i].other && !process_is_guarded(pid)))
			continue;
		list[i].pid = pid;
		if (process_is_daemon(pid)) {
			list[i].scope = SCOPE_DAEMON;
			list[i].origin = ORIGIN_DAEMON;
		} else if (!list[i].other && !bpf_map_lookup_elem(map_fds[M_PROCESSES], &k, &v)) {
			list[i].scope = v.scope;
			list[i].origin = v.origin;
		} else if (process_is_contained(pid)) {
			list[i].origin = ORIGIN_CONTAINER;
		}
	}
	return true;
}

static void find_owners(void)
{
	struct dirent *process;
	DIR *proc = opendir("/proc");

	while (proc && (process = readdir(proc)))
		if (isdigit((unsigned char)process->d_name[0]))
			process_sockets(atoi(process->d_name), claim, NULL);
	if (proc)
		closedir(proc);
}

/* A process's name inside a JSON string; its bytes may be anything. */
static void print_comm(FILE *f, int pid)
{
	char path[64], comm[COMM_SIZE + 1] = "";
	FILE *c;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	c = pid ? fopen(path, "re") : NULL;
	if (c && !fgets(comm, sizeof(comm), c))
		comm[0] = 0;
	if (c)
		fclose(c);
	for (const char *p = comm; *p; p++)
		if ((unsigned char)*p >= 0x20)
			fprintf(f, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
}

static void read_tables(uint64_t inode, bool other, void *arg)
{
	(void)arg;
	read_table("/proc/thread-self/net/tcp", 6, inode, other);
	read_table("/proc/thread-self/net/tcp6", 6, inode, other);
	read_table("/proc/thread-self/net/udp", 17, inode, other);
	read_table("/proc/thread-self/net/udp6", 17, inode, other);
}

/* A v4-mapped address as the IPv4 address it is. */
static const char *plain(const char *text)
{
	return strncmp(text, "::ffff:", 7) ? text : text + 7;
}

/* What leaves the machine from another source goes on as this flow; another destination is judged. */
static void translate(unsigned int proto, const struct tuple *sent, const struct tuple *out)
{
	if (strcmp(sent->dst, out->dst) || sent->dport != out->dport ||
	    (!strcmp(sent->src, out->src) && sent->sport == out->sport))
		return;
	for (size_t i = 0; i < count; i++) {
		struct open_flow *o = &list[i];

		if (!o->other || o->proto != proto || o->sport != sent->sport || o->dport != sent->dport ||
		    strcmp(plain(o->src), sent->src) || strcmp(plain(o->dst), sent->dst))
			continue;
		memcpy(o->out, out->src, sizeof(o->out));
		o->oport = out->sport;
	}
}

/* Length over 16 bytes of the local prefix that holds the destination, or -1. */
static int local_length(const char *text)
{
	struct local_key k = {.prefixlen = 128};
	struct local_value v;

	if (inet_pton(AF_INET6, text, k.addr.b) != 1) {
		if (inet_pton(AF_INET, text, k.addr.b + 12) != 1)
			return -1;
		k.addr.b[10] = k.addr.b[11] = 0xff;
	}
	return bpf_map_lookup_elem(map_fds[M_LOCALS], &k, &v) ? -1 : (int)v.prefixlen;
}

static void print_flow(FILE *f, const struct open_flow *o, bool first)
{
	fprintf(f,
		"%s{\"proto\":%u,\"src\":\"%s\",\"sport\":%u,\"dst\":\"%s\",\"dport\":%u,\"pid\":%d,"
		"\"uid\":%u,\"scope\":%u,\"origin\":%u,\"netns\":%llu,\"other\":%s,\"local\":%d,",
		first ? "" : ",", o->proto, o->src, o->sport, o->dst, o->dport, o->pid, o->uid, o->scope,
		o->origin, (unsigned long long)o->netns, o->other ? "true" : "false",
		o->other ? -1 : local_length(o->dst));
	if (o->out[0])
		fprintf(f, "\"out\":\"%s\",\"oport\":%u,", o->out, o->oport);
	fputs("\"comm\":\"", f);
	print_comm(f, o->pid);
	fputs("\"}", f);
}

char *flows_list(size_t *size)
{
	char *text = NULL;
	bool first = true;
	FILE *f;

	count = 0;
	if (netns_each(read_tables, NULL))
		return NULL;
	if (count) {
		find_owners();
		conntrack_each(translate);
	}
	f = open_memstream(&text, size);
	if (!f)
		return NULL;
	fputc('[', f);
	for (size_t i = 0; i < count; i++) {
		if (list[i].other && !list[i].pid)
			continue; /* nobody guarded holds it */
		print_flow(f, &list[i], first);
		first = false;
	}
	fputc(']', f);
	fclose(f);
	return text;
}
