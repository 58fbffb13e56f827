/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_RAW_H
#define CARGOWALL_RAW_H

/* Packet and XDP sockets that guarded processes have opened since the first look. */
void check_raw_sockets(void);

#endif /* CARGOWALL_RAW_H */
