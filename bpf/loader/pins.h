/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_PINS_H
#define CARGOWALL_PINS_H

#include <stdbool.h>

struct link_state;

/* Makes the file of a link or its program, whatever is there. */
int link_pin(const struct link_state *l);
/* Whether a file in BPF_DIR is what a descriptor is. */
bool pin_stands(int fd, const char *name);
int pin_make(int fd, const char *name);

#endif /* CARGOWALL_PINS_H */
