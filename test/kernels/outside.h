/* SPDX-License-Identifier: Apache-2.0 */
/* Ways no hook for packets sees (limits L1 and L2). */
#ifndef CARGOWALL_OUTSIDE_H
#define CARGOWALL_OUTSIDE_H

/* A frame to an address past every hook: the open socket, or -errno. */
int past_the_queue(const char *to, const char *text);
int by_xdp(const char *to, const char *text);
/* A text over a connection of AF_VSOCK's to this machine itself: 0 when it has come through, or -errno. */
int by_vsock(const char *text);

/* The error of making a socket of a family, 0 without. */
int socket_error(int family);

#endif /* CARGOWALL_OUTSIDE_H */
