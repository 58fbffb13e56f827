/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proxy's datagram sockets: two an address, for everybody and for runner processes. The kernel
 * chooses by the owner map, so the daemon knows from the socket whose question it reads, and a
 * stranger's reaches none.
 */
#include <errno.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <bpf/bpf.h>

#include "dns.h"
#include "maps.h"
#include "object.h"

/* The sockets of an address stand one after the other, as bind.c binds them. */
int dns_attach(const struct session *s)
{
	int program = object_program(PROGRAM_DNS);

	for (uint32_t i = 0; i < s->socket_count; i++) {
		const struct proxy_socket *p = &s->sockets[i];
		uint64_t fd = (uint64_t)p->fd;

		if (p->tcp)
			continue;
		if (bpf_map_update_elem(map_fds[M_DNS_SOCKETS], &i, &fd, BPF_ANY))
			return -errno;
		if (!p->runner && bpf_map_update_elem(map_fds[M_DNS_ADDRESSES], &p->bound, &i, BPF_ANY))
			return -errno;
		if (setsockopt(p->fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program, sizeof(program)))
			return -errno;
	}
	return 0;
}

uint64_t dns_dropped(const struct session *s)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < s->socket_count; i++) {
		uint32_t info[SK_MEMINFO_VARS] = {0};
		socklen_t size = sizeof(info);

		if (!s->sockets[i].tcp && !getsockopt(s->sockets[i].fd, SOL_SOCKET, SO_MEMINFO, info, &size))
			sum += info[SK_MEMINFO_DROPS];
	}
	return sum;
}
