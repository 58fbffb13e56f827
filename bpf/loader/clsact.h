/* SPDX-License-Identifier: Apache-2.0 */
/* Our filter on the way out of an interface, where the kernel has no TCX; it is known by its name. */
#ifndef CARGOWALL_CLSACT_H
#define CARGOWALL_CLSACT_H

#include <stdbool.h>
#include <stdint.h>

int clsact_attach(unsigned int ifindex, int program_fd);
bool clsact_stands(unsigned int ifindex, uint32_t program);
int clsact_mend(unsigned int ifindex, int program_fd);
/* Filters on the way out of an interface, whosever. */
unsigned int clsact_count(unsigned int ifindex);
/* Removes every filter of ours, by name. */
void clsact_clear(void);

#endif /* CARGOWALL_CLSACT_H */
