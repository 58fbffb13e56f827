/* SPDX-License-Identifier: Apache-2.0 */
/* XDP programs, which meet a frame before the kernel and can send it by any interface, past every hook. */
#ifndef CARGOWALL_XDP_H
#define CARGOWALL_XDP_H

/* Tells of those that have come to the machine's interfaces; the first look is of the machine's own. */
void check_xdp(void);

#endif /* CARGOWALL_XDP_H */
