/* SPDX-License-Identifier: Apache-2.0 */
/* The eBPF object: load, attach, pin; reopen what is pinned. */
#ifndef CARGOWALL_OBJECT_H
#define CARGOWALL_OBJECT_H

#include <stdbool.h>

#include "session.h"

/* 0 or -errno; `why` names the culprit. */
int object_load(const struct session *s, const char **why);
/* Programs that are attached to nothing at the start. */
enum own_program {
	PROGRAM_TC, /* the wall's */
	PROGRAM_AGAIN, /* the loopback interface's */
	PROGRAM_DNS, /* chooses among the proxy's sockets */
	PROGRAM_REPEATS,
	PROGRAM_OPEN_TCP,
	PROGRAM_OPEN_UDP,
	PROGRAM_COUNT,
};
int object_program(enum own_program program);
int object_pin(void);
bool object_is_pinned(void);
/* Whether maps and own programs are pinned still; pins what is not, and tells with which outcome. */
typedef void (*pin_lost)(const char *name, int err);
void object_check_pins(pin_lost lost);
int object_reopen(void);
/* Makes events of the refusals that are held as numbers. */
void repeats_tell(void);

#endif /* CARGOWALL_OBJECT_H */
