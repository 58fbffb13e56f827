/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_CHECK_H
#define CARGOWALL_CHECK_H

#include "loader.h"

/* Hears of each finding, once, in words for the record. */
typedef void (*check_report)(const char *finding);

/* raw.c: packet and XDP sockets that guarded processes have opened since the first look. */
void check_raw_sockets(void);

/* Tells a finding once. */
void check_find(const char *finding);

/* Compares programs, links and pins with what was installed; the first time it only remembers. */
void check_all(const struct session *s, check_report to);

/* The part of it that is about links and pins. */
void check_links(check_report to);

#endif /* CARGOWALL_CHECK_H */
