/* SPDX-License-Identifier: Apache-2.0 */
/* Where a session's files are. */
#ifndef CARGOWALL_PATHS_H
#define CARGOWALL_PATHS_H

#define RUN_DIR "/run/cargowall"
#define BIN_DIR RUN_DIR "/bin"
#define BPF_DIR RUN_DIR "/bpf"
#define RECORDS_DIR RUN_DIR "/records"
#define AUDIT_LOG RECORDS_DIR "/audit.jsonl"
#define CONTROL_SOCKET RUN_DIR "/control.sock"
#define SESSION_FILE RUN_DIR "/session.json"
#define WORKER_FILE RUN_DIR "/worker"
#define UNLOCK_PROGRAM BIN_DIR "/loader"
#define LOCK_FILE "/run/cargowall.lock"
#define NEVER_ROOT "/etc/cargowall/never-root"

#endif /* CARGOWALL_PATHS_H */
