/* SPDX-License-Identifier: Apache-2.0 */
/* What the loader's files share: options, the run directory, and the state of one session. */
#ifndef CARGOWALL_LOADER_H
#define CARGOWALL_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../abi.h"

#define RUN_DIR "/run/cargowall"
#define BIN_DIR RUN_DIR "/bin"
#define BPF_DIR RUN_DIR "/bpf"
#define RECORDS_DIR RUN_DIR "/records"
#define AUDIT_LOG RECORDS_DIR "/audit.jsonl"
#define CONTROL_SOCKET RUN_DIR "/control.sock"
#define SESSION_FILE RUN_DIR "/session.json"
#define LOCK_FILE "/run/cargowall.lock"
#define NEVER_ROOT "/etc/cargowall/never-root"
#define SESSION_MAX (4u << 20)

/* Exit codes of `start`; each is provoked by a test. */
enum exit_code {
	EXIT_GREEN = 0,
	EXIT_USAGE = 2,
	EXIT_UNSUPPORTED = 3,
	EXIT_REFUSED = 4,
	EXIT_RUNNING = 5,
	EXIT_FAILED = 6,
};

#define ALLOW_MAX 64

struct options {
	const char *cgroup;
	const char *node;
	const char *daemon_dir;
	const char *object;
	uid_t uid;
	pid_t worker;
	bool root;
	bool keep;
	bool lockdown; /* take sudo and its like from the job's user */
	const char *allow[ALLOW_MAX]; /* absolute paths, checked by main */
	size_t allow_count;
};

#define SOCKETS_MAX 96

struct proxy_socket {
	int fd;
	bool tcp;
	bool runner; /* over UDP: for runner processes alone */
	struct address bound;
	char address[64];
};

/* One session, from start to teardown; the keeper owns it, the loader inherits it. */
struct session {
	struct options options;
	char loader_cgroup[4096];
	char daemon_cgroup[4096];
	char *settings; /* main's JSON line, opaque */
	size_t settings_size;
	int audit_fd;
	int control_fd;
	int canary_fd;
	int status_fd; /* to the front process; -1 after green */
	int stdin_fd; /* from main; -1 after green */
	int keeper_fd; /* pidfd of the keeper */
	int worker_fd; /* pidfd of the runner's worker */
	char *early; /* what main sent behind the settings already */
	size_t early_size;
	struct proxy_socket sockets[SOCKETS_MAX];
	size_t socket_count;
	uint16_t proxy_port;
	uint16_t canary_port;
	struct address far4, far6;
	uid_t daemon_uid;
	bool green;
	bool keeper_lost; /* the loader that is about to start tells it */
};

/* Maps by name, open in the loader. */
enum map_index {
	M_CONFIG,
	M_HEARTBEAT,
	M_POLICY,
	M_RULES,
	M_GRANTS,
	M_LOCALS,
	M_RESOLVERS,
	M_PROCESSES,
	M_CGROUPS,
	M_EXISTING,
	M_FLOWS,
	M_OWNERS,
	M_COUNTERS,
	M_EVENTS,
	M_DNS_ADDRESSES,
	M_DNS_SOCKETS,
	M_UPLINKS,
	M_TRAFFIC,
	M_ARRIVALS,
	M_IDENTITIES,
	M_FORMER,
	M_COUNT,
};

extern int map_fds[M_COUNT];

/* object.c: load, attach, pin; reopen what is pinned. 0 or -errno; `why` names the culprit. */
int object_load(const struct session *s, const char **why);
/* Programs that are attached to nothing at the start. */
enum own_program {
	PROGRAM_TC, /* the wall's */
	PROGRAM_DNS, /* chooses among the proxy's sockets; not known after a restart */
	PROGRAM_REPEATS,
	PROGRAM_OPEN_TCP,
	PROGRAM_OPEN_UDP,
	PROGRAM_COUNT,
};
int object_program(enum own_program program);
int object_pin(void);
bool object_is_pinned(void);
/* Whether maps and the wall's program are pinned still; pins what is not. Once pinned only. */
void object_check_pins(void);
int object_reopen(void);
/* Makes events of the refusals that are held as numbers. */
void repeats_tell(void);

/* wall.c: the wall of an uplink, once; and the word that an interface is gone. */
int wall_attach(unsigned int ifindex);
/* Set while a restarted loader looks at its uplinks first: each should have its wall still. */
extern bool wall_is_coming_back;
void wall_gone(unsigned int ifindex);
/* links.c: what is attached, as two members of a JSON object: hooks and wall. */
void links_describe(char *out, size_t size);
/* clsact.c: removes every filter of ours, by name. */
void clsact_clear(void);

/* session.c: cgroups, mounts, copies, sockets; undo removes them all, by name. */
int session_prepare(struct session *s, const char **why);
void session_undo(const struct session *s);
/* Whether nothing of a start is left. */
bool session_is_undone(const struct session *s);
uint64_t cgroup_id(const char *path);

/* Ends every process in a cgroup but ourselves. */
void cgroup_empty(const char *path);

/* netlink.c: interfaces, addresses and routes -> local prefixes and uplinks. */
struct own_address {
	struct address addr;
	unsigned int ifindex;
	bool uplink;
	bool plain; /* its interface's packets have no header below IP */
};

#define OWN_MAX 256
extern struct own_address own_addresses[OWN_MAX];
extern size_t own_count;
int network_scan(void);
/* watch.c: a socket that hears of every change, and what it has heard. */
int network_watch(void);
void network_heard(int watch);
/* Word may have been missed: what is not there is gone. */
void network_missed(void);
/* Hears of each uplink that can't be covered, once, with its -errno. */
typedef void (*network_report)(const char *interface, int err);
int network_apply(network_report report);
/* Takes over what an earlier loader has programmed. */
void network_reload(void);
bool network_leads_off(unsigned int ifindex);

/* processes.c: who is the runner at start. */
int processes_capture(const struct session *s);
/* Who is the daemon; -1 when that can't be kept. */
int processes_daemon(pid_t pid);

/* netns.c: visits the machine's namespace, then every other of a guarded process; 0 or -errno when
 * there is no way back. */
int netns_each(void (*visit)(uint64_t inode, bool other, void *arg), void *arg);
/* Id of a process's cgroup, 0 when it is gone. */
uint64_t process_cgroup(int pid);
/* Whether a process is below the guarded cgroup. */
bool process_is_guarded(int pid);
/* Whether a process has a process or cgroup namespace of its own: a container, whatever its network. */
bool process_is_contained(int pid);
/* The inode number of a namespace by its path; 0 when there is none. */
uint64_t namespace_of(const char *path);

/* flows.c: open flows as a JSON array, malloc'd; NULL when there is no way back. */
char *flows_list(size_t *size);

/* One flow of a CLOSE_FLOWS frame, in the namespace it was listed in (its inode number). */
struct open_flow_key {
	struct flow_key flow;
	unsigned long long netns;
};
_Static_assert(sizeof(struct open_flow_key) == sizeof(struct flow_key) + 8, "open_flow_key");

/* close.c: ends flows; 0 or -errno for each in `status`. -errno when there is no way back. */
int flows_close(const struct open_flow_key *flows, size_t count, int32_t *status);

/* daemon.c: start D; returns its pid, its channel in *channel. */
pid_t daemon_start(const struct session *s, int *channel);

/* serve.c: nanoseconds of a clock. */
uint64_t now_ns(clockid_t clock);

/* serve.c: the session that is served. */
const struct session *serve_session(void);

/* serve.c: P2's loop; returns an exit code, or SERVE_ALONE after green when the keeper is gone. */
#define SERVE_ALONE (-2)
int serve(struct session *s, bool restarted);

/* apply.c: one APPLY payload; 0 or -errno with the failing index. */
int apply_writes(const unsigned char *p, size_t size, uint32_t *failed);

/* proof.c: a raw frame to the proof's first address must move TC's counter. */
int proof_tc(void);

/* main.c: where cgroup2 is mounted. */
char *cgroup_mount(void);
/* Text inside a JSON string; what can't stand there is left out. */
void json_escape(char *out, size_t size, const char *in);
/* An error for a person: what happened, to what, and what to do. */
void say_error(int fd, const char *code, const char *message, const char *remedy);

/* keeper.c: the start's exit code, or 0 after a teardown; `lock` is held until then. */
int keeper(struct session *s, int lock);

/* uid.c: 61184 to 65519, without a process or a line of the password file. */
uid_t uid_unused(void);

uint64_t counter_sum(uint32_t counter);

#endif /* CARGOWALL_LOADER_H */
