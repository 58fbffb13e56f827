/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the grants in the kernel are those the loader has written. */
#ifndef CARGOWALL_TALLY_H
#define CARGOWALL_TALLY_H

#include <stddef.h>

/* Takes what an earlier loader has written as written. */
void tally_begin(void);
/* A grant (struct grant_key, struct grant_value) has been written, or is not there any more. */
void tally_came(const void *key, const void *value);
void tally_went(const void *key, const void *value);
/* All grants, each its struct grant_key and struct grant_value; the caller frees. NULL: not to be read. */
unsigned char *tally_read(size_t *size);
/* Finds what somebody else has written since. */
void tally_check(void);

#endif /* CARGOWALL_TALLY_H */
