/* SPDX-License-Identifier: Apache-2.0 */
/* What of the kernel's gives a packet another destination. */
#ifndef CARGOWALL_STACKS_H
#define CARGOWALL_STACKS_H

/* Each works while nothing stands in its way. */
void try_stacks_before(void);
/* What they send is judged. */
void try_stacks_behind(void);

#endif /* CARGOWALL_STACKS_H */
