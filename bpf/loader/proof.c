/* SPDX-License-Identifier: Apache-2.0 */
/* The wall's own proof: a frame, or a packet on a plain link, to a proof address must move TC's counter. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "maps.h"
#include "network.h"
#include "proof.h"

static const unsigned char udp[] = {0, 9, 0, 9, 0, 8, 0, 0};

/* To 203.0.113.252. */
static size_t packet4(unsigned char *p, const struct address *source)
{
	static const unsigned char head[] = {0x45, 0, 0, 28, 0, 0, 0, 0, 1, 17, 0, 0};
	static const unsigned char to[] = {203, 0, 113, 252};

	memcpy(p, head, sizeof(head));
	memcpy(p + 12, source->b + 12, 4);
	memcpy(p + 16, to, sizeof(to));
	memcpy(p + 20, udp, sizeof(udp));
	return 20 + sizeof(udp);
}

/* To 2001:db8::fffd. */
static size_t packet6(unsigned char *p, const struct address *source)
{
	static const unsigned char head[] = {0x60, 0, 0, 0, 0, 8, 17, 1};
	static const unsigned char to[] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfd};

	memcpy(p, head, sizeof(head));
	memcpy(p + 8, source->b, 16);
	memcpy(p + 24, to, sizeof(to));
	memcpy(p + 40, udp, sizeof(udp));
	return 40 + sizeof(udp);
}

/* A UDP datagram to port 9, from an own address; checksums are left out: nothing may ever receive it. */
static size_t proof_frame(unsigned char *f, const struct address *source)
{
	bool v4 = address_is_v4(source);

	memset(f, 0xff, 6);
	memset(f + 6, 2, 6);
	f[12] = (v4 ? ETH_P_IP : ETH_P_IPV6) >> 8;
	f[13] = (v4 ? ETH_P_IP : ETH_P_IPV6) & 0xff;
	return ETH_HLEN + (v4 ? packet4(f + ETH_HLEN, source) : packet6(f + ETH_HLEN, source));
}

int proof_tc(void)
{
	size_t count;
	const struct own_address *own = network_own(&count);
	bool sent = false;

	for (size_t i = 0; i < count; i++) {
		struct sockaddr_ll to = {.sll_family = AF_PACKET,
					 .sll_protocol =
						 htons(address_is_v4(&own[i].addr) ? ETH_P_IP : ETH_P_IPV6),
					 .sll_ifindex = (int)own[i].ifindex,
					 .sll_halen = 6};
		uint64_t before = counter_sum(COUNTER_TC_PROOF);
		size_t size, skip = own[i].plain ? ETH_HLEN : 0;
		unsigned char frame[64];
		bool down;
		int fd;

		if (!own[i].uplink)
			continue;
		fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
		size = proof_frame(frame, &own[i].addr);
		/* refused at TC in enforce (ENOBUFS): the counter is the proof, not the call */
		down = sendto(fd, frame + skip, size - skip, 0, (void *)&to, sizeof(to)) < 0 &&
		       errno == ENETDOWN;
		close(fd);
		if (down)
			continue; /* carries nothing, and comes up with its wall already there */
		sent = true;
		/* every uplink has its own wall, and each must stand */
		if (counter_sum(COUNTER_TC_PROOF) == before)
			return -EBADMSG;
	}
	return sent ? 0 : -ENODEV;
}
