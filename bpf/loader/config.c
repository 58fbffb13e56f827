/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs are told of this machine and this session. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "cgroup.h"
#include "config.h"
#include "maps.h"
#include "proc.h"

#define SO_NETNS_COOKIE 71

static struct config config_value;

static void config_write(void)
{
	uint32_t zero = 0;

	bpf_map_update_elem(map_fds[M_CONFIG], &zero, &config_value, BPF_ANY);
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
	c->worker_cgroup = process_cgroup(s->options.worker);
}

void config_begin(const struct session *s)
{
	config_fill(s, &config_value);
	config_write();
}

int config_reload(void)
{
	uint32_t zero = 0;

	return bpf_map_lookup_elem(map_fds[M_CONFIG], &zero, &config_value) ? -errno : 0;
}

const struct config *config_now(void)
{
	return &config_value;
}

int config_flip(uint32_t mode)
{
	if (mode < MODE_AUDIT || mode > MODE_ENFORCE || config_value.mode == MODE_ENFORCE)
		return config_value.mode == mode ? 0 : -EPERM;
	config_value.mode = mode;
	config_write();
	return 0;
}
