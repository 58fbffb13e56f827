/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_PROOF_H
#define CARGOWALL_PROOF_H

/* A raw frame out of each uplink must move the counter of its wall; 0 or -errno. */
int proof_tc(void);

#endif /* CARGOWALL_PROOF_H */
