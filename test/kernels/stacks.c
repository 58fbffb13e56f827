/* SPDX-License-Identifier: Apache-2.0 */
/* IPVS gives what goes to one address to another server, behind the socket's calls. */
#include <errno.h>
#include <netinet/in.h>
#include <linux/ip_vs.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest.h"
#include "stacks.h"

#define VIRTUAL_NAT "198.51.101.28" /* allowed */
#define SERVER_NAT "203.0.112.28"
#define VIRTUAL_TUNNEL "198.51.101.29"
#define SERVER_TUNNEL "203.0.112.29"

struct service {
	struct ip_vs_service_user service;
	struct ip_vs_dest_user server;
};

static uint32_t number_of(const char *address)
{
	struct sockaddr_storage a;

	address_of(&a, address, 0);
	return ((struct sockaddr_in *)&a)->sin_addr.s_addr;
}

/* Has IPVS send what goes to an address by UDP to another; `how`: IP_VS_CONN_F_MASQ or _TUNNEL. */
static bool balances(const char *address, const char *server, unsigned int how)
{
	struct service s = {
		.service = {.protocol = IPPROTO_UDP,
			    .addr = number_of(address),
			    .port = htons(9),
			    .sched_name = "rr",
			    .netmask = 0xffffffff},
		.server = {.addr = number_of(server), .port = htons(9), .conn_flags = how, .weight = 1}};
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	bool made = !setsockopt(fd, IPPROTO_IP, IP_VS_SO_SET_ADD, &s.service, sizeof(s.service)) &&
		    !setsockopt(fd, IPPROTO_IP, IP_VS_SO_SET_ADDDEST, &s, sizeof(s));

	if (!made)
		fails(strerror(errno));
	close(fd);
	return made;
}

static bool balancer_is_open(const char *address, const char *server, unsigned int how)
{
	return balances(address, server, how) && (!datagram(address, "balanced") || fails("not sent")) &&
	       (has_left_for(server) || fails("nothing has left"));
}

static bool balancer_is_judged(const char *address, const char *server)
{
	datagram(address, "balanced");
	return (!has_left_for(server) || fails("it has left")) && await_refusal(server, 0);
}

void try_stacks_before(void)
{
	check("case 39, IPVS by address translation: open before the wall",
	      balancer_is_open(VIRTUAL_NAT, SERVER_NAT, IP_VS_CONN_F_MASQ));
	check("case 39, IPVS by a tunnel: open before the wall",
	      balancer_is_open(VIRTUAL_TUNNEL, SERVER_TUNNEL, IP_VS_CONN_F_TUNNEL));
}

void try_stacks_behind(void)
{
	check("case 39, IPVS by address translation, of an allowed address: closed",
	      balancer_is_judged(VIRTUAL_NAT, SERVER_NAT));
	check("case 39, IPVS by a tunnel, of an allowed address: closed",
	      balancer_is_judged(VIRTUAL_TUNNEL, SERVER_TUNNEL));
}
