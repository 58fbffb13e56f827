/* SPDX-License-Identifier: Apache-2.0 */
/*
 * THE CONTRACT between the eBPF programs, the loader and the daemon.
 *
 * Every struct and enum that crosses one of these borders is here and only here: sizes are
 * asserted below, src/core/flow/layout.gen.ts is generated from this header, and a test compares
 * both with the BTF of the shipped object. Integers are in host order, which is little-endian on
 * every machine we support; an address is 16 bytes in network order, IPv4 as v4-mapped
 * (::ffff:a.b.c.d, RFC 4291 2.5.5.2).
 */
#ifndef CARGOWALL_ABI_H
#define CARGOWALL_ABI_H

#define ABI_VERSION 1
#define ADDRESS_SIZE 16
#define COMM_SIZE 16

/* What is enforced. Zero, the state before the flip, refuses nothing. */
enum mode {
	MODE_NOTING = 0, /* attached, DNS steered, flows noted, nothing refused, nothing reported */
	MODE_AUDIT = 1, /* everything passes, every refusal-to-be is reported */
	MODE_ENFORCE = 2, /* refusals are refused */
};

/* Whose rules apply to a process. From SCOPE_STEP_FIRST on: a step with rules of its own. */
enum scope {
	SCOPE_EVERYONE = 0,
	SCOPE_RUNNER = 1, /* the runner's own processes */
	SCOPE_DAEMON = 2, /* the daemon, known by its process in its cgroup */
	SCOPE_PLATFORM = 3, /* the fixed cgroups of the cloud's agents (walinuxagent and its like) */
	SCOPE_LEASE = 4, /* the fixed cgroups of DHCP clients: the machine's lease and nothing else */
	SCOPE_STEP_FIRST = 16,
};

/* Where a process comes from; for reports only, never for a verdict. */
enum origin {
	ORIGIN_UNKNOWN = 0,
	ORIGIN_RUNNER = 1,
	ORIGIN_JOB = 2, /* below the worker */
	ORIGIN_SYSTEM = 3, /* in the machine's own namespaces, not below the worker */
	ORIGIN_DAEMON = 4, /* loader or daemon */
	ORIGIN_CONTAINER = 5, /* in a network, process or cgroup namespace of its own */
};

/* Which set of rules or grants an entry belongs to; the order they are asked in is verdict_for(). */
enum kind {
	KIND_USER = 0, /* the user's rules; grants from answers for names they allow */
	KIND_AUTO = 1, /* auto-allowed traffic */
	KIND_RUNNER = 2, /* grants of runner hosts, SCOPE_RUNNER only */
	KIND_DENIAL = 3, /* grants table only: denials of names under default allow */
};

enum verdict {
	VERDICT_DENY = 0,
	VERDICT_ALLOW = 1,
};

/* What decided. */
enum decided_by {
	BY_DEFAULT = 0,
	BY_LOCAL = 1, /* does not leave the machine: not recorded */
	BY_RULE = 2, /* a user address rule */
	BY_DENIAL = 3, /* a denial of a name (default: allow) */
	BY_GRANT = 4, /* a grant of a name the user allows */
	BY_AUTO_RULE = 5, /* an auto-allowed address */
	BY_AUTO_GRANT = 6, /* a grant of an auto-allowed name */
	BY_RUNNER_GRANT = 7, /* a grant of a runner host, for a runner process */
	BY_PORT_53 = 8, /* port 53 that was not steered */
	BY_PROTOCOL = 9, /* a protocol other than TCP, UDP and ICMP */
	BY_SHAPE = 10, /* malformed, source-routed, from a foreign address: denied by shape */
	BY_NOT_IP = 11, /* an EtherType that is neither IPv4, IPv6 nor a well-formed ARP */
	BY_PROOF = 12, /* an address of the proof */
	BY_DAEMON = 13, /* the daemon to its upstream (scope 2), or anything else of the daemon (denied) */
	BY_EXISTING = 14, /* a flow open before the flip */
	BY_KERNEL = 15, /* made by the kernel itself, passed by exact type: not recorded */
	BY_SOCKET = 16, /* a socket of a family that no hook guards */
	BY_INBOUND = 17, /* the answer of a service outside the guarded cgroup to a connection from outside */
};

/* Which hook made the record. */
enum layer {
	LAYER_CONNECT = 1,
	LAYER_SENDMSG = 2,
	LAYER_EGRESS = 3, /* cgroup_skb */
	LAYER_TC = 4,
	LAYER_SOCKET = 5, /* the call that makes a socket, or sets an option of one */
	LAYER_SYSCALL = 6, /* the entry of a call, which it can't refuse: whatever the verdict, it went on */
};

/* Counters that are never lost: one slot each in the per-CPU array `counters`. */
enum counter {
	COUNTER_EVENTS_LOST = 0, /* no room in the ring */
	COUNTER_SOCKETS_FULL = 1, /* socket storage could not be had */
	COUNTER_OWNERS_FULL = 2, /* owner map refused an entry */
	COUNTER_PROCESSES_FULL = 3, /* process map refused an entry */
	COUNTER_FLOWS_FULL = 4, /* flow map refused an entry */
	COUNTER_TC_PROOF = 5, /* frames to proof addresses refused at TC */
	COUNTER_TC_DENIED = 6, /* frames refused at TC */
	COUNTER_EGRESS_DENIED = 7, /* packets refused by cgroup_skb */
	COUNTER_CONNECT_DENIED = 8, /* calls refused by connect4/6 and sendmsg4/6 */
	COUNTER_STEERED = 9, /* calls steered to the proxy */
	COUNTER_TC_SEEN = 10, /* frames judged at TC */
	COUNTER_DNS_UNOWNED = 11, /* questions over UDP of nobody the owner map knows */
	COUNTER_BYTES_UNTOLD = 12, /* bytes sent to destinations the traffic map had no room for */
	COUNTER_DNS_DROPPED = 13, /* questions a full socket of the proxy dropped; not in the map */
	COUNTER_DNS_AGAIN = 14, /* questions the kernel answered with a reply given a moment before */
	COUNTER_SIZE = 16,
};

struct address {
	unsigned char b[ADDRESS_SIZE];
};

/*
 * The kernel event of the specification, byte for byte (`BpfBlockedEvent`).
 * ip_proto neither TCP nor UDP: src_port is 0 and dst_port repeats ip_proto.
 */
struct blocked_event {
	unsigned char ip_version; /* 4 or 6; v4-mapped flows are 4; a frame that is not IP is 4 */
	unsigned char allowed; /* the policy's verdict, in audit mode too */
	unsigned char ip_proto; /* 255 for a frame that is not IP */
	unsigned char pad1; /* bit 0: mid-stream */
	unsigned int src_ip; /* 10.1.2.3 is 0x0A010203; 0 when version 6 or unknown */
	unsigned int dst_ip;
	unsigned short src_port;
	unsigned short dst_port;
	unsigned char src_ip6[16]; /* network order; zero when version 4 */
	unsigned char dst_ip6[16];
	unsigned long long timestamp; /* CLOCK_MONOTONIC, ns */
	unsigned int pid; /* thread group id, 0 when unknown */
	unsigned int pad2;
};

#define EVENT_MID_STREAM 1 /* blocked_event.pad1 */

/* What more we need, behind the 64 bytes. */
struct event_extension {
	unsigned short version; /* ABI_VERSION */
	unsigned short size; /* of this struct */
	unsigned char by; /* enum decided_by */
	unsigned char layer; /* enum layer */
	unsigned char origin; /* enum origin */
	unsigned char mode; /* enum mode at the time of the event */
	unsigned int rule; /* id of the deciding rule, 0 = none */
	unsigned int name; /* id of the granted name, 0 = none */
	unsigned int uid;
	unsigned int ifindex; /* LAYER_TC only */
	unsigned short ethertype; /* host order, frames that are not IP; BY_SOCKET: the socket's family */
	unsigned short scope; /* enum scope, steps from 16 */
	unsigned int count; /* attempts this event stands for, at least 1 */
	unsigned long long cgroup;
	unsigned long long netns; /* cookie */
	unsigned long long socket; /* cookie, 0 = unknown */
	char comm[COMM_SIZE];
	unsigned long long start_ns; /* with pid and execs: struct identity_key */
	unsigned int execs;
	unsigned int pad;
};

struct event {
	struct blocked_event flow;
	struct event_extension ext;
};

/*
 * Address rules, a longest-prefix trie. The first 64 bits behind prefixlen (scope, kind, proto,
 * port) are always matched whole, so prefixlen is 64 plus the address's 0..128. A lookup asks for
 * (proto, port), (proto, 0) and (0, 0); the longest prefix of the three answers decides, deny at
 * equal length: a narrow entry for one port never hides a wider one for another.
 */
struct rule_key {
	unsigned int prefixlen;
	unsigned int scope;
	unsigned char kind; /* KIND_USER or KIND_AUTO */
	unsigned char proto; /* 0 = every protocol (denies only), 1 = ICMP and 58 = ICMPv6 with port 0 */
	unsigned short port; /* 0 = every port */
	struct address addr;
};

struct rule_value {
	unsigned int rule; /* id */
	unsigned char verdict;
	unsigned char prefixlen; /* of the address as 16 bytes: 0..128 */
	unsigned short pad;
};

/*
 * Grants and denials. An exact entry (proto, port) decides alone; only where there is none is
 * (proto, 0) asked, and for KIND_DENIAL then (0, 0). An exact entry that does not admit the pair
 * (a hole in a wider grant) has expires_ns 0. Expired entries count as holes until deleted.
 */
struct grant_key {
	unsigned int scope;
	unsigned char kind; /* KIND_USER, KIND_AUTO, KIND_RUNNER or KIND_DENIAL */
	unsigned char proto;
	unsigned short port; /* 0 = every port */
	struct address addr;
};

struct grant_value {
	unsigned long long expires_ns; /* CLOCK_MONOTONIC */
	unsigned int rule;
	unsigned int name; /* the daemon's id of the question name */
};

/* Prefixes that do not leave the machine; from netlink, written by the loader. */
struct local_key {
	unsigned int prefixlen; /* 0..128 */
	struct address addr;
};

struct local_value {
	unsigned int prefixlen;
	unsigned int flags; /* LOCAL_OWN */
};

#define LOCAL_OWN 1 /* one of the machine's own addresses */

/* Addresses found in a resolver configuration: their port 53 is steered wherever they lie. */
struct resolver_key {
	struct address addr;
};

/* Processes we know by thread group id; a reused id is told by its start time. */
struct process_key {
	unsigned int tgid;
};

struct process_value {
	unsigned long long start_ticks; /* start_boottime in 1/100 s, as /proc/PID/stat field 22 */
	unsigned int scope; /* SCOPE_RUNNER or SCOPE_EVERYONE */
	unsigned char origin; /* ORIGIN_RUNNER or ORIGIN_JOB */
	unsigned char flags; /* PROCESS_* */
	unsigned short pad;
};

#define PROCESS_IS_WORKER 1 /* children are the job */
#define PROCESS_INHERITED 2 /* runner only while in the worker's cgroup */

/* The daemon's process; all zero: there is none. */
struct daemon_value {
	unsigned long long start_ticks;
	unsigned int tgid;
	unsigned int pad;
};

#define ANCESTORS_MAX 8
#define FILE_NAME_SIZE 32

/* A program's file by the kernel's numbers; all zero where there is none, as of the kernel's threads. */
struct exe {
	unsigned long long ino;
	unsigned int dev; /* of its file system: major in the upper 12 bits, minor in the lower 20 */
	unsigned int flags; /* EXE_UNLINKED */
};

#define EXE_UNLINKED 1 /* no name leads to it: deleted, or a memfd */

/* A process as it was when it started the one below it. */
struct ancestor {
	unsigned long long start_ns;
	struct exe exe;
	unsigned int pid;
	unsigned int pad;
	char comm[COMM_SIZE];
};

/* A process from one exec to the next. */
struct identity_key {
	unsigned long long start_ns; /* start_boottime of its first thread; 0 = unknown */
	unsigned int pid; /* thread group id */
	unsigned int execs; /* since its fork, or since it was seen first */
};

/* What it runs and where it comes from; for records only, never for a verdict. */
struct identity {
	unsigned long long start_ns;
	unsigned int execs;
	unsigned char depth; /* ancestors that follow */
	unsigned char seen; /* a record may speak of it */
	unsigned short pad;
	struct exe exe; /* as of its last exec */
	char file[FILE_NAME_SIZE]; /* last part of the file's name, which its maker chose */
	struct ancestor ancestors[ANCESTORS_MAX]; /* the parent first, up to pid 1 */
};

/*
 * The daemon knows at least the last so many identities it was told. The loader relies on half of them: those
 * of one batch of events, at most as many, are told before any of its events is read.
 */
#define IDENTITIES_TOLD 2048

/* Scopes by cgroup: the platform's fixed services. */
struct cgroup_key {
	unsigned long long id;
};

struct cgroup_value {
	unsigned int scope;
	unsigned int pad;
};

/* A flow's exact tuple, in the direction that leaves the machine. Ports 0 for ICMP. */
struct flow_key {
	struct address src;
	struct address dst;
	unsigned short sport;
	unsigned short dport;
	unsigned char proto;
	unsigned char pad[3];
};

/* Flows admitted before: `existing` (written by the daemon) and `flows` (written by TC, LRU). */
struct flow_value {
	unsigned long long last_ns;
	unsigned int generation;
	unsigned int rule;
	unsigned int name;
	unsigned char verdict;
	unsigned char by;
	unsigned short scope;
	unsigned long long socket; /* cookie, 0 = unknown */
};

/* Who sends from a source address and port to the proxy: names DNS askers. */
struct owner_key {
	struct address src;
	unsigned short port;
	unsigned char proto;
	unsigned char pad;
};

/* How long the owner of a port whatever its source (src is zero) is believed. */
#define OWNER_ANY_NS 5000000000ULL

struct owner_value {
	unsigned long long cgroup;
	unsigned long long netns;
	unsigned long long socket;
	unsigned long long seen_ns;
	struct address asked; /* the server the client meant; zero when it meant the proxy */
	unsigned int pid;
	unsigned int uid;
	unsigned short asked_port;
	unsigned short scope;
	unsigned char origin;
	unsigned char pad[3];
	char comm[COMM_SIZE];
	unsigned long long start_ns; /* with pid and execs: struct identity_key */
	unsigned int execs;
	unsigned int pad2;
};

/*
 * What was sent to one destination by one program, under one decision. Bytes are payload: what stands
 * behind the TCP, UDP or ICMP header of the packets that passed, those sent again included.
 */
struct traffic_key {
	struct address dst;
	unsigned int rule; /* as in the event of the flow */
	unsigned int name;
	unsigned short port; /* 0: none, not known of a later fragment, or of an inbound connection */
	unsigned char proto;
	unsigned char origin; /* enum origin */
	unsigned char by; /* enum decided_by */
	unsigned char verdict; /* of the policy; what it denies passes in audit mode alone */
	unsigned char pad[2];
	char comm[COMM_SIZE]; /* empty where no process is known */
};

struct traffic_value {
	unsigned long long bytes;
};

#define TRAFFIC_MAX 16384 /* destinations told apart */

#define REPLY_QUESTION_MAX 112 /* bytes of a question behind its id */
#define REPLY_MAX 528 /* bytes of a reply behind its id */

/* A question over UDP, word for word, and whose. */
struct reply_key {
	unsigned int scope; /* SCOPE_RUNNER, or SCOPE_EVERYONE for all others */
	unsigned int size; /* of the question behind its id */
	unsigned char question[REPLY_QUESTION_MAX]; /* behind its id; zeros behind that */
};

/* The reply it had, for a second at most: it may be given again until then. */
struct reply_value {
	unsigned long long number; /* of this entry; none comes twice */
	unsigned long long until_ns; /* CLOCK_MONOTONIC */
	unsigned int size; /* of the reply behind its id */
	unsigned int pad;
	unsigned char reply[REPLY_MAX];
};

/* What is particular about an uplink, an interface that leads off the machine. */
#define LINK_PLAIN 1 /* its packets have no header below IP */
#define LINK_STACKED 2 /* its frames pass the wall of another interface too: they are counted there */

/* Written by the loader alone, once more at the flip, and by nobody from green on: it is frozen. */
struct config {
	unsigned int version; /* ABI_VERSION */
	unsigned int mode; /* the one word that flips */
	unsigned long long host_netns; /* cookie of the machine's network namespace */
	unsigned long long daemon_cgroup; /* ids */
	unsigned long long loader_cgroup;
	unsigned long long worker_cgroup;
	unsigned long long guarded_cgroup;
	unsigned long long heartbeat_limit_ns; /* older than this: the daemon is gone */
	struct address proxy4; /* ::ffff:127.0.0.1 */
	struct address proxy6; /* ::1 */
	struct address far4; /* an address of the machine other namespaces can reach; zero = none */
	struct address far6;
	unsigned short proxy_port; /* one port for UDP and TCP, every address */
	unsigned short canary_port; /* TCP on proxy4: the end of the proof's connect */
	unsigned int host_pidns; /* inode numbers of the machine's namespaces; zero = not known */
	unsigned int host_cgroupns;
	unsigned int pad;
};

/* Written by the daemon, before the flip and never relaxed by itself after it. */
struct policy_config {
	unsigned int generation; /* bound into every cached verdict; starts at 1 */
	unsigned int default_verdict; /* enum verdict */
	struct address upstream; /* where runner processes' port 53 goes when the daemon is gone */
	unsigned short upstream_port;
	unsigned short refuse_existing; /* flows open before the flip need a rule or a grant */
	unsigned short pad[2];
	unsigned long long flow_idle_ns; /* an admitted tuple at TC ends after this long without a packet */
};

/* Maps the daemon may write, by number in an APPLY frame; the loader refuses every other. */
enum writable_map {
	MAP_RULES = 1, /* rule_key -> rule_value */
	MAP_GRANTS = 2, /* grant_key -> grant_value */
	MAP_RESOLVERS = 3, /* resolver_key -> u32 */
	MAP_CGROUPS = 4, /* cgroup_key -> cgroup_value */
	MAP_EXISTING = 5, /* flow_key -> flow_value */
	MAP_POLICY = 6, /* u32 0 -> policy_config */
	MAP_REPLIES = 7, /* reply_key -> reply_value */
};

#define ABI_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " is not " #bytes " bytes")
ABI_SIZE(struct address, 16);
ABI_SIZE(struct blocked_event, 64);
ABI_SIZE(struct event_extension, 88);
ABI_SIZE(struct event, 152);
ABI_SIZE(struct rule_key, 28);
ABI_SIZE(struct rule_value, 8);
ABI_SIZE(struct grant_key, 24);
ABI_SIZE(struct grant_value, 16);
ABI_SIZE(struct local_key, 20);
ABI_SIZE(struct local_value, 8);
ABI_SIZE(struct resolver_key, 16);
ABI_SIZE(struct process_key, 4);
ABI_SIZE(struct process_value, 16);
ABI_SIZE(struct daemon_value, 16);
ABI_SIZE(struct exe, 16);
ABI_SIZE(struct ancestor, 48);
ABI_SIZE(struct identity_key, 16);
ABI_SIZE(struct identity, 448);
ABI_SIZE(struct cgroup_key, 8);
ABI_SIZE(struct cgroup_value, 8);
ABI_SIZE(struct flow_key, 40);
ABI_SIZE(struct flow_value, 32);
ABI_SIZE(struct owner_key, 20);
ABI_SIZE(struct owner_value, 96);
ABI_SIZE(struct traffic_key, 48);
ABI_SIZE(struct traffic_value, 8);
ABI_SIZE(struct reply_key, 120);
ABI_SIZE(struct reply_value, 552);
ABI_SIZE(struct config, 136);
ABI_SIZE(struct policy_config, 40);

#endif /* CARGOWALL_ABI_H */
