/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_CLOCK_H
#define CARGOWALL_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds of a clock. */
static inline uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

#endif /* CARGOWALL_CLOCK_H */
