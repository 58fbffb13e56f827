/* SPDX-License-Identifier: Apache-2.0 */
/* Open flows of the machine's network namespace, with their owners where one is found. */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "loader.h"

#define FLOWS_MAX 4096

struct open_flow {
	char src[64], dst[64];
	unsigned int sport, dport, proto, uid, scope, origin;
	unsigned long inode;
	int pid;
};

static struct open_flow list[FLOWS_MAX];
static size_t count;

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
static void read_table(const char *path, unsigned int proto)
{
	char line[512], local[40], remote[40];
	unsigned int lport, rport, state, uid;
	unsigned long inode;
	FILE *f = fopen(path, "re");

	if (!f)
		return;
	while (fgets(line, sizeof(line), f) && count < FLOWS_MAX) {
		struct open_flow *o = &list[count];

		if (sscanf(line, "%*u: %32[0-9A-F]:%x %32[0-9A-F]:%x %x %*s %*s %*s %u %*u %lu", local,
			   &lport, remote, &rport, &state, &uid, &inode) != 7 ||
		    state < 1 || state > 3 || !rport)
			continue;
		memset(o, 0, sizeof(*o));
		address_text(local, o->src);
		address_text(remote, o->dst);
		o->sport = lport;
		o->dport = rport;
		o->proto = proto;
		o->uid = uid;
		o->inode = inode;
		o->origin = ORIGIN_SYSTEM;
		count++;
	}
	fclose(f);
}

static void claim(pid_t pid, unsigned long inode)
{
	for (size_t i = 0; i < count; i++) {
		struct process_key k = {.tgid = (uint32_t)pid};
		struct process_value v;

		if (list[i].inode != inode || list[i].pid)
			continue;
		list[i].pid = pid;
		if (!bpf_map_lookup_elem(map_fds[M_PROCESSES], &k, &v)) {
			list[i].scope = v.scope;
			list[i].origin = v.origin;
		}
	}
}

static void find_owners(void)
{
	struct dirent *process, *entry;
	DIR *proc = opendir("/proc");

	while (proc && (process = readdir(proc))) {
		char path[600], target[64];
		DIR *fds;

		if (!isdigit((unsigned char)process->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/fd", process->d_name);
		fds = opendir(path);
		while (fds && (entry = readdir(fds))) {
			char link[900];
			unsigned long inode;
			ssize_t n;

			snprintf(link, sizeof(link), "%s/%s", path, entry->d_name);
			n = readlink(link, target, sizeof(target) - 1);
			if (n <= 0)
				continue;
			target[n] = 0;
			if (sscanf(target, "socket:[%lu]", &inode) == 1)
				claim(atoi(process->d_name), inode);
		}
		if (fds)
			closedir(fds);
	}
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

char *flows_list(size_t *size)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, size);

	if (!f)
		return NULL;
	count = 0;
	read_table("/proc/self/net/tcp", 6);
	read_table("/proc/self/net/tcp6", 6);
	read_table("/proc/self/net/udp", 17);
	read_table("/proc/self/net/udp6", 17);
	if (count)
		find_owners();
	fputc('[', f);
	for (size_t i = 0; i < count; i++) {
		fprintf(f,
			"%s{\"proto\":%u,\"src\":\"%s\",\"sport\":%u,\"dst\":\"%s\",\"dport\":%u,"
			"\"pid\":%d,\"uid\":%u,\"scope\":%u,\"origin\":%u,\"comm\":\"",
			i ? "," : "", list[i].proto, list[i].src, list[i].sport, list[i].dst, list[i].dport,
			list[i].pid, list[i].uid, list[i].scope, list[i].origin);
		print_comm(f, list[i].pid);
		fputs("\"}", f);
	}
	fputc(']', f);
	fclose(f);
	return text;
}
