/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has been found wrong, on its way to the record. What has happened is told each time it happens;
 * what is so is told when it begins, and again when it had ended in between. Floods are bounded: what
 * comes too fast is counted, and the count is told. A flood of one of the two kinds takes no place of the
 * other.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "findings.h"

#define FINDING_MAX 192
#define WAITING_MAX 64 /* until the daemon is there */
#define STANDING_MAX 64
#define TOLD_MAX 128
#define WRITTEN_NS 2000000000ULL /* the daemon writes at least once a second */
#define BURST 32 /* at once; then one a second */

/* How many findings of a kind may still be told. */
struct allowance {
	unsigned int used;
	time_t since;
};

static struct allowance for_events, for_states;
static char waiting[WAITING_MAX][FINDING_MAX];
static size_t waiting_count;
static unsigned int left_out;

static struct {
	char text[FINDING_MAX];
	uint64_t round;
} standing[STANDING_MAX];
static size_t standing_count;
static uint64_t current_round;

static bool is_allowed(struct allowance *a)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	for (; a->used && a->since < now.tv_sec; a->since++)
		a->used--;
	a->since = now.tv_sec;
	if (a->used == BURST)
		return false;
	a->used++;
	return true;
}

static void enqueue(struct allowance *a, const char *finding)
{
	if (waiting_count == WAITING_MAX || !is_allowed(a))
		left_out++;
	else
		snprintf(waiting[waiting_count++], FINDING_MAX, "%s", finding);
}

void check_happened(const char *finding)
{
	enqueue(&for_events, finding);
}

void check_find(const char *finding)
{
	for (size_t i = 0; i < standing_count; i++) {
		if (strncmp(standing[i].text, finding, FINDING_MAX - 1))
			continue;
		standing[i].round = current_round;
		return;
	}
	if (standing_count < STANDING_MAX) {
		snprintf(standing[standing_count].text, FINDING_MAX, "%s", finding);
		standing[standing_count++].round = current_round;
	}
	enqueue(&for_states, finding);
}

/* A new look at everything: what the last one did not find any more has ended. */
void findings_round(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < standing_count; i++)
		if (standing[i].round == current_round)
			standing[kept++] = standing[i];
	standing_count = kept;
	current_round++;
}

/* What was told, until it is in the log. */
static struct {
	char text[FINDING_MAX];
	uint64_t at_ns;
} told[TOLD_MAX];
static size_t told_count;

static void remember(const char finding[FINDING_MAX])
{
	if (told_count == TOLD_MAX)
		memmove(told, told + 1, --told_count * sizeof(told[0]));
	memcpy(told[told_count].text, finding, FINDING_MAX);
	told[told_count++].at_ns = now_ns(CLOCK_MONOTONIC);
}

void findings_heard(void)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	size_t kept = 0;

	for (size_t i = 0; i < told_count; i++)
		if (now - told[i].at_ns < WRITTEN_NS)
			told[kept++] = told[i];
	told_count = kept;
}

void findings_again(void)
{
	for (size_t i = 0; i < told_count && waiting_count < WAITING_MAX; i++)
		memcpy(waiting[waiting_count++], told[i].text, FINDING_MAX);
	told_count = 0;
}

void check_tell(check_report report)
{
	static uint64_t counted_round;

	for (size_t i = 0; i < waiting_count; i++) {
		report(waiting[i]);
		remember(waiting[i]);
	}
	waiting_count = 0;
	if (left_out && counted_round != current_round) {
		char text[FINDING_MAX];

		snprintf(text, sizeof(text), "%u further findings came too fast to be told one by one",
			 left_out);
		report(text);
		left_out = 0;
		counted_round = current_round;
	}
}
