/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_UID_H
#define CARGOWALL_UID_H

#include <sys/types.h>

/* 61184 to 65519, without a process or a line of the password file. */
uid_t uid_unused(void);

#endif /* CARGOWALL_UID_H */
