/* SPDX-License-Identifier: Apache-2.0 */
/* The wall's own proof: a frame, or a packet on a plain link, to 203.0.113.252 must move TC's counter. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "maps.h"
#include "network.h"
#include "proof.h"

/* An IPv4 UDP datagram to port 9; checksums are left out: nothing may ever receive it. */
static size_t proof_frame(unsigned char *f, const struct address *source)
{
	static const unsigned char ip[] = {0x45, 0, 0, 28, 0, 0, 0, 0, 1, 17, 0, 0};
	static const unsigned char to[] = {203, 0, 113, 252};
	static const unsigned char udp[] = {0, 9, 0, 9, 0, 8, 0, 0};

	memset(f, 0xff, 6);
	memset(f + 6, 2, 6);
	f[12] = 8;
	f[13] = 0;
	memcpy(f + 14, ip, sizeof(ip));
	memcpy(f + 26, source->b + 12, 4);
	memcpy(f + 30, to, sizeof(to));
	memcpy(f + 34, udp, sizeof(udp));
	return 42;
}

int proof_tc(void)
{
	size_t count;
	const struct own_address *own = network_own(&count);
	bool sent = false;

	for (size_t i = 0; i < count; i++) {
		struct sockaddr_ll to = {.sll_family = AF_PACKET,
					 .sll_protocol = htons(ETH_P_IP),
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
