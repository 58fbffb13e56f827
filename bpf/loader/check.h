/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_CHECK_H
#define CARGOWALL_CHECK_H

#include "loader.h"

struct link_state;

/* Hears of a finding, in words for the record. */
typedef void (*check_report)(const char *finding);

/* raw.c: packet and XDP sockets that guarded processes have opened since the first look. */
void check_raw_sockets(void);

/* tally.c: whether the grants are what apply.c has written. */
void tally_begin(void);
void tally_came(const void *key, const void *value);
void tally_went(const void *key, const void *value);
void tally_check(void);

/* netlink.c: whether the prefixes that do not leave the machine are those the network has. */
void network_check(void);

/* findings.c: what is so and should not be, at each look; told when it begins. */
void check_find(const char *finding);
/* What has happened; told each time. */
void check_happened(const char *finding);
/* A new look at everything begins. */
void findings_round(void);
/* Hands over what waits to be told. */
void check_tell(check_report report);

/* check.c: puts right what does not stand, and finds it. */
void check_link(struct link_state *l);
void check_pin_lost(const char *name, int err);
/* An interface is gone, and what its hook had with it. */
void check_forget(unsigned int ifindex);
/* Compares programs, links and pins with what was installed; the first time it only remembers. */
void check_all(const struct session *s);

#endif /* CARGOWALL_CHECK_H */
