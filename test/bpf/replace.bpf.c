// SPDX-License-Identifier: Apache-2.0
/* Stands in for verdict_for() of a program that is named when it is loaded (freplace): allows everything. */
#include "kernel.h"

struct question;
struct decision;

char _license[] SEC("license") = "GPL";

SEC("freplace/verdict_for")
int replace(const struct question *q, struct decision *d)
{
	return 1;
}
