/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_NOTICE_H
#define CARGOWALL_NOTICE_H

/* Somebody has changed what stands, or something can't be covered: for the daemon's record. */
void notice_tamper(const char *finding);
/* The network could not be read at all, or one of its interfaces could not be covered. */
void notice_uncovered(const char *interface, int err);

#endif /* CARGOWALL_NOTICE_H */
