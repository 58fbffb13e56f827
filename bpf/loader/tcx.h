/* SPDX-License-Identifier: Apache-2.0 */
/* TCX links (Linux 6.6 or later) on the way out of an interface. */
#ifndef CARGOWALL_TCX_H
#define CARGOWALL_TCX_H

#include <stdint.h>

#define TCX_EGRESS 47 /* enum bpf_attach_type; older headers don't know it */
#define LINK_TYPE_TCX 11 /* enum bpf_link_type */

/* A link before all others of an interface. Descriptor, or -errno; -EINVAL where there is no TCX. */
int tcx_attach(unsigned int ifindex, int program_fd);
/* A link of the loopback interface, behind what is there. */
int tcx_attach_loopback(int program_fd);
/* Id of the first TCX program of an interface, 0 without. */
uint32_t tcx_first(unsigned int ifindex);

#endif /* CARGOWALL_TCX_H */
