/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_CHECK_H
#define CARGOWALL_CHECK_H

struct link_state;

/* Puts right what does not stand, and finds it. */
void check_link(struct link_state *l);
/* An interface is gone, and what its hook had with it. */
void check_forget(unsigned int ifindex);
/* Compares programs, links and pins of a cgroup with what was installed; the first time it only remembers. */
void check_all(const char *cgroup);

#endif /* CARGOWALL_CHECK_H */
