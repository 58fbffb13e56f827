/* SPDX-License-Identifier: Apache-2.0 */
/* The proxy's datagram sockets and the program that chooses among them; see bpf/dns.bpf.h. */
#ifndef CARGOWALL_DNS_H
#define CARGOWALL_DNS_H

#include "session.h"

/* From now on a question reaches the socket of its asker's kind, or none; 0 or -errno. */
int dns_attach(const struct session *s);

/* Questions that came faster than they were read, and were dropped. */
uint64_t dns_dropped(const struct session *s);

#endif /* CARGOWALL_DNS_H */
