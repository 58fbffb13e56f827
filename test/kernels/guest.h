/* SPDX-License-Identifier: Apache-2.0 */
/* What the suites of a guest share: checks, ways of sending, the far side, the log, the start. */
#ifndef CARGOWALL_GUEST_H
#define CARGOWALL_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

#include "../../bpf/abi.h"

#define PATIENCE_S 10 /* of the guest's time; nothing waits for a clock but what fails */

/* checks.c: one line a check. `reason` is the first thing that was wrong since the last one. */
extern char reason[512];
bool fails(const char *what);
void check(const char *name, bool passed);
bool is_over(time_t since);

/* ways.c: each sends a text to an address; 0 or -errno. */
typedef int (*way)(const char *to, const char *text);
socklen_t address_of(struct sockaddr_storage *out, const char *text, uint16_t port);
size_t packet_to(unsigned char *out, const char *to, const char *text);
/* A connection to port 443, by TCP or MPTCP: its socket or -errno. */
int tcp_open(const char *to);
int multipath_open(const char *to);
int stream(const char *to, const char *text);
int fast_open(const char *to, const char *text);
int datagram(const char *to, const char *text);
int raw_icmp(const char *to, const char *text);
int own_header(const char *to, const char *text);
int whole_frame(const char *to, const char *text);
/* A whole frame, or where the device has no header below IP a packet, on a device. */
int frame_on(const char *device, const char *to, const char *text);

/* far.c: the addresses behind the uplink, and a sniffer of what comes there. */
#define ALLOWED4 "198.51.100.10"
#define REFUSED4 "198.51.100.20"
#define ALLOWED6 "2001:db8:1::10"
#define REFUSED6 "2001:db8:1::20"
#define ALLOWED_MAPPED "::ffff:" ALLOWED4
#define REFUSED_MAPPED "::ffff:" REFUSED4
void enter(const char *pid);
void open_internet(const char *pid);
/* Whether bytes are seen before others (NULL: whatever comes), or before patience ends. */
bool sees_bytes(const void *bytes, size_t size, const char *last);
bool sees(const char *text, const char *last);
/* Whether a text has left, as what is sent behind it is seen. */
bool has_left(const char *text);
/* Whether anything for an IPv4 or IPv6 address has left; whether it comes, before patience ends. */
bool has_left_for(const char *to);
bool comes_for(const char *to);
/* The servers take what connections there are and answer; whether one did. */
bool far_answers(void);

/* records.c: the log of the stand-in daemon. */
#define LOG "/run/cargowall/records/audit.jsonl"
unsigned int recorded(const char *to, bool allowed);
unsigned int refusals(const char *to);
/* What has been recorded so far is in the log. */
bool log_is_complete(void);
bool await_refusal(const char *to, unsigned int before);
bool log_has(const char *text);
/* Whether the refusal of a socket of this family comes into the log. */
bool await_refused_socket(unsigned int family, enum origin origin);

/* bytes.c: what an open socket has sent is counted, and what a frame socket has sent. */
bool bytes_are_counted(void);

/* start.c: the policy allows ALLOWED4 and ALLOWED6 on 443/tcp and 9/udp, ALLOWED4 by ICMP, and UDP to
 * 198.51.101.0/24 and 2001:db8:2::/64. `attached`: what the loader has said of hooks and wall. */
extern char attached[1024];
bool starts(const char *worker);

#endif /* CARGOWALL_GUEST_H */
