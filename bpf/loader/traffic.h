/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_TRAFFIC_H
#define CARGOWALL_TRAFFIC_H

#include <stddef.h>

/*
 * The payload of a TRAFFIC frame, malloc'd: an i32, 0 or -errno of the visit to open sockets, then a
 * struct traffic_key and a struct traffic_value for each total. NULL: no memory.
 */
unsigned char *traffic_read(size_t *size);

#endif /* CARGOWALL_TRAFFIC_H */
