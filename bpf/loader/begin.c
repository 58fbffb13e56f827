/* SPDX-License-Identifier: Apache-2.0 */
/* Loads the programs, fills in their configuration and covers the uplinks; says what can't be had. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "begin.h"
#include "dns.h"

#define SO_NETNS_COOKIE 71

void status_line(const struct session *s, const void *p, size_t size)
{
	if (s->status_fd < 0)
		return;
	if (write(s->status_fd, p, size) < 0 || write(s->status_fd, "\n", 1) < 0)
		return;
}

int start_failed(const struct session *s, const char *what, int err)
{
	char line[256];
	int n = snprintf(line, sizeof(line),
			 "{\"error\":{\"code\":\"start-failed\",\"message\":\"%s: %s\",\"remedy\":\"give the "
			 "machine what the message names, or use another runner\"}}",
			 what, strerror(-err));

	status_line(s, line, (size_t)n);
	return EXIT_FAILED;
}

static void config_fill(const struct session *s, struct config *c)
{
	socklen_t size = sizeof(c->host_netns);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memset(c, 0, sizeof(*c));
	c->version = ABI_VERSION;
	getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &c->host_netns, &size);
	close(fd);
	c->host_pidns = (uint32_t)namespace_of("/proc/self/ns/pid");
	c->host_cgroupns = (uint32_t)namespace_of("/proc/self/ns/cgroup");
	c->daemon_cgroup = cgroup_id(s->daemon_cgroup);
	c->loader_cgroup = cgroup_id(s->loader_cgroup);
	c->guarded_cgroup = cgroup_id(s->options.cgroup);
	c->heartbeat_limit_ns = 10000000000ULL;
	c->proxy4.b[10] = c->proxy4.b[11] = 0xff;
	c->proxy4.b[12] = 127;
	c->proxy4.b[15] = 1;
	c->proxy6.b[15] = 1;
	c->far4 = s->far4;
	c->far6 = s->far6;
	c->proxy_port = s->proxy_port;
	c->canary_port = s->canary_port;
}

static const struct session *starting; /* for what is told while the network is covered */

static void start_uncovered(const char *interface, int err)
{
	static bool told;
	char line[512], name[64];
	int n;

	if (told)
		return; /* one reason is enough */
	told = true;
	json_escape(name, sizeof(name), interface);
	n = snprintf(
		line, sizeof(line),
		"{\"error\":{\"code\":\"unsupported\",\"message\":\"interface %s could not be covered: %s\","
		"\"remedy\":\"cargowall needs TCX or the clsact hook (modules sch_ingress and cls_bpf)\"}}",
		name, strerror(-err));
	status_line(starting, line, (size_t)n);
}

int begin(const struct session *s, struct config *config)
{
	const char *why = "";
	uint32_t zero = 0;
	char attached[960], line[1024];
	int err = object_load(s, &why), n;

	if (err) {
		n = snprintf(line, sizeof(line),
			     "{\"error\":{\"code\":\"unsupported\",\"message\":\"the kernel refused %s: %s\","
			     "\"remedy\":\"cargowall needs Linux 6.1 or later with BTF and cgroup2\"}}",
			     why, strerror(-err));
		status_line(s, line, (size_t)n);
		return EXIT_UNSUPPORTED;
	}
	err = dns_attach(s);
	if (err)
		return start_failed(s, "the proxy's sockets", err);
	config_fill(s, config);
	config->worker_cgroup = process_cgroup(s->options.worker);
	bpf_map_update_elem(map_fds[M_CONFIG], &zero, config, BPF_ANY);
	processes_capture(s);
	/* once more: what has changed since the keeper looked was not watched yet */
	err = network_scan();
	if (err)
		return start_failed(s, "the network's interfaces", err); /* on-unsupported has no say */
	starting = s;
	if (network_apply(start_uncovered))
		return EXIT_UNSUPPORTED;
	links_describe(attached, sizeof(attached));
	n = snprintf(line, sizeof(line), "{\"stage\":\"attached\",%s}", attached);
	status_line(s, line, (size_t)n);
	return 0;
}
