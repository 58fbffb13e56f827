/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_RAW_H
#define CARGOWALL_RAW_H

/* Packet, XDP and vsock sockets that guarded processes have opened since the first look. */
void check_raw_sockets(void);
/* A process has opened one of a family, as a program saw; told once, whoever finds it. */
void raw_opened(int pid, int family);

#endif /* CARGOWALL_RAW_H */
