/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_ROOT_CLIENTS_H
#define CARGOWALL_ROOT_CLIENTS_H

/*
 * Ends every connection to the service of a socket's file that somebody else than root has made; 0, or
 * -errno when one may be left. The socket is closed to others before: no new one comes meanwhile.
 */
int root_clients_end(const char *path);

#endif /* CARGOWALL_ROOT_CLIENTS_H */
