/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CARGOWALL_FINDINGS_H
#define CARGOWALL_FINDINGS_H

/* Hears of a finding, in words for the record. */
typedef void (*check_report)(const char *finding);

/* What is so and should not be, at each look; told when it begins. */
void check_find(const char *finding);
/* What has happened; told each time. */
void check_happened(const char *finding);
/* A new look at everything begins. */
void findings_round(void);
/* The daemon is alive: what was told a while ago is in the log. */
void findings_heard(void);
/* The daemon has ended: what may not be in the log yet waits to be told to the next one. */
void findings_again(void);
/* Hands over what waits to be told. */
void check_tell(check_report report);

#endif /* CARGOWALL_FINDINGS_H */
