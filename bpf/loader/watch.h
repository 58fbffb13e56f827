/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_WATCH_H
#define CARGOWALL_WATCH_H

/* A socket that hears of every change to the network, or -1; and what it has heard. */
int network_watch(void);
void network_heard(int watch);

#endif /* CARGOWALL_WATCH_H */
