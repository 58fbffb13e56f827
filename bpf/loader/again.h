/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_AGAIN_H
#define CARGOWALL_AGAIN_H

/* Lets the kernel give replies again, once, where it has TCX; without, the daemon gives each. 0 or -errno. */
int again_attach(void);

#endif /* CARGOWALL_AGAIN_H */
