/* SPDX-License-Identifier: Apache-2.0 */
/* Ways past IP's own sockets: families the network does not see, and the packet layer's short cuts. */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <linux/vm_sockets.h> /* wants what is above */
#include <unistd.h>

#include "guest.h"
#include "outside.h"

#define RING 8 /* descriptors of a ring, a power of two */
#define CHUNK 4096

/* A frame past the queue, where TC sits; the socket stays open. */
int past_the_queue(const char *to, const char *text)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("up0")};
	unsigned char frame[256] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 2, 2, 2, 2, 2, 8, 0};
	size_t length = ETH_HLEN + packet_to(frame + ETH_HLEN, to, text);
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) ||
	    sendto(fd, frame, length, 0, (void *)&a, sizeof(a)) < 0)
		return -errno;
	return fd;
}

/* Puts one frame into the ring of an XDP socket, before it is bound: afterwards Linux 6.1 shows it nobody. */
static int xdp_fill(int fd, size_t length)
{
	struct xdp_mmap_offsets o;
	socklen_t size = sizeof(o);
	struct xdp_desc *descriptors;
	unsigned char *ring;

	if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &o, &size))
		return -errno;
	ring = mmap(NULL, o.tx.desc + RING * sizeof(struct xdp_desc), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    XDP_PGOFF_TX_RING);
	if (ring == MAP_FAILED)
		return -errno;
	descriptors = (void *)(ring + o.tx.desc);
	descriptors[0] = (struct xdp_desc){.addr = 0, .len = (uint32_t)length};
	__atomic_store_n((uint32_t *)(void *)(ring + o.tx.producer), 1, __ATOMIC_RELEASE);
	return 0;
}

/* A frame by AF_XDP; the socket stays open. */
int by_xdp(const char *to, const char *text)
{
	static const unsigned char head[ETH_HLEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 2, 2, 2, 2, 2, 8};
	unsigned char *memory =
		mmap(NULL, (size_t)RING * CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct xdp_umem_reg umem = {
		.addr = (uint64_t)(uintptr_t)memory, .len = (uint64_t)RING * CHUNK, .chunk_size = CHUNK};
	struct sockaddr_xdp a = {
		.sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY, .sxdp_ifindex = if_nametoindex("up0")};
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), size = RING, err;

	if (fd < 0 || memory == MAP_FAILED)
		return -errno;
	memcpy(memory, head, sizeof(head));
	if (setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)) ||
	    setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_XDP, XDP_TX_RING, &size, sizeof(size)))
		return -errno;
	err = xdp_fill(fd, ETH_HLEN + packet_to(memory + ETH_HLEN, to, text));
	if (err)
		return err;
	if (bind(fd, (void *)&a, sizeof(a)))
		return -errno;
	/* what it says of a frame that is already on its way is no error */
	(void)!sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
	return fd;
}

int socket_error(int family)
{
	int fd = socket(family, (family == AF_VSOCK ? SOCK_STREAM : SOCK_RAW) | SOCK_CLOEXEC, 0), err = errno;

	if (fd < 0)
		return err;
	close(fd);
	return 0;
}

/* A text over a connection that is no network's: 0 when it has come through. */
int by_vsock(const char *text)
{
	struct sockaddr_vm a = {.svm_family = AF_VSOCK, .svm_port = 9, .svm_cid = VMADDR_CID_LOCAL};
	int server = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0), client, taken;
	char got[64] = "";

	if (server < 0 || bind(server, (void *)&a, sizeof(a)) || listen(server, 1))
		return -errno;
	client = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(client, (void *)&a, sizeof(a)) || send(client, text, strlen(text), 0) < 0)
		return -errno;
	taken = accept(server, NULL, NULL);
	if (recv(taken, got, sizeof(got) - 1, 0) < 0)
		return -errno;
	close(taken);
	close(client);
	close(server);
	return strcmp(got, text) ? -EPROTO : 0;
}
