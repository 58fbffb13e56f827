/* SPDX-License-Identifier: Apache-2.0 */
/* The record the programs read (struct config): filled once, then its mode alone changes, one way. */
#ifndef CARGOWALL_CONFIG_H
#define CARGOWALL_CONFIG_H

#include "session.h"

/* Fills it for a session and writes it. */
void config_begin(const struct session *s);
/* Reads what an earlier loader has written; 0 or -errno. */
int config_reload(void);
const struct config *config_now(void);
/* 0, or -EPERM: an enforcing wall never becomes anything else. */
int config_flip(uint32_t mode);

#endif /* CARGOWALL_CONFIG_H */
