/* SPDX-License-Identifier: Apache-2.0 */
/* One line a check, with the reason of a failure. */
#include <stdio.h>
#include <time.h>

#include "guest.h"

char reason[512];

bool fails(const char *what)
{
	if (!reason[0])
		snprintf(reason, sizeof(reason), "%s", what);
	return false;
}

void check(const char *name, bool passed)
{
	if (passed)
		printf("ok %s\n", name);
	else
		printf("failed %s: %s\n", name, reason);
	fflush(stdout);
	reason[0] = 0;
}

bool is_over(time_t since)
{
	return time(NULL) - since > PATIENCE_S;
}
