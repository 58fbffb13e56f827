/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_XDP_H
#define CARGOWALL_XDP_H

/* Finds XDP programs that have come to an interface since the first look. */
void xdp_check(void);

#endif /* CARGOWALL_XDP_H */
