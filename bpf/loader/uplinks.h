/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_UPLINKS_H
#define CARGOWALL_UPLINKS_H

/* Hears of each uplink that can't be covered, once, with its -errno. */
typedef void (*network_report)(const char *interface, int err);

/* The wall on every uplink, whatever becomes of the others; 0, or the first -errno. */
int uplinks_cover(network_report report);
/* Whether the kernel's map is as it was written: what else is there is put right, and told. */
void uplinks_check(void);
/* Takes over what an earlier loader has written. */
void uplinks_reload(void);

#endif /* CARGOWALL_UPLINKS_H */
