/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_STRANGERS_H
#define CARGOWALL_STRANGERS_H

/* Finds programs that are not ours and use our maps, stand in our programs, or pass frames on below the wall. */
void strangers_check(void);

#endif /* CARGOWALL_STRANGERS_H */
