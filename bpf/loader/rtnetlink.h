/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_RTNETLINK_H
#define CARGOWALL_RTNETLINK_H

struct nlmsghdr;

/* Visits every object of a kind (RTM_GET…); 0, -EAGAIN: they changed meanwhile, or another -errno. */
int rtnetlink_dump(int type, void (*each)(const struct nlmsghdr *h));

#endif /* CARGOWALL_RTNETLINK_H */
