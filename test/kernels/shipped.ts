// Judges what a guest has said in which the action ran as it ships: node shipped.ts LOG ARCH WALL. One line a check.
import { readFileSync } from 'node:fs';
import type { AuditEvent, AuditRecord, SessionEnded } from '../../src/core/audit/event.ts';
import { decodeLog } from '../../src/core/audit/jsonl.ts';

const [, , path = '', arch = '', wall = ''] = process.argv;
/** Where sudo is put into the guest, the runner is a user, and the job is under sudo-lockdown. */
const isUser = arch === 'amd64';
const said = readFileSync(path, 'utf8').split('\n');

/** What one of the guest's speakers said. */
function linesOf(name: string): readonly string[] {
  const start = `${name}: `;
  return said.filter((line) => line.startsWith(start)).map((line) => line.slice(start.length));
}

function check(name: string, isSo: boolean, found: unknown): void {
  process.stdout.write(isSo ? `ok ${name}\n` : `failed ${name}: ${JSON.stringify(found)}\n`);
}

/** Whether all of these lines, and none that begins with one of those, were said. */
function says(name: string, who: string, wanted: readonly string[], unwanted = '::error'): void {
  const lines = linesOf(who);
  const missing = wanted.filter((one) => !lines.includes(one));
  const bad = lines.filter((line) => line.startsWith(unwanted));
  check(name, missing.length === 0 && bad.length === 0, { missing, bad, lines });
}

/** A step's outputs; the last of a name counts. */
function outputsOf(who: string): ReadonlyMap<string, string> {
  const text = linesOf(who).join('\n');
  const found = text.matchAll(/^([a-z-]+)<<(\S+)\n(.*)\n\2$/gmu);
  return new Map([...found].map(([, name = '', , value = '']) => [name, value]));
}

const [release = ''] = linesOf('release');
const [lsm = ''] = linesOf('lsm');
const kernel = [
  'system: linux',
  `kernel: ${release}`,
  `processor: ${arch === 'amd64' ? 'x64' : arch}`,
  `security modules (LSM): ${lsm}; none is needed`,
];

says('main says what this kernel has', 'main', [
  ...kernel,
  `root: ${isUser ? 'by sudo' : 'is root'}`,
  'container job or slim image: no',
  'kernel types (BTF): yes',
  'cgroup2: /sys/fs/cgroup',
]);
says('main says what this kernel has taken', 'main', [
  'hooks: 13 of the cgroup, 4 tracepoints',
  // Linux on arm64 takes such programs from 6.4 on
  `packet, XDP and vsock sockets of the job: ${arch === 'amd64' ? 'refused' : 'told, not refused (limits L1 and L2)'}`,
  `wall: up0 by ${wall === 'tcx' ? 'TCX' : 'clsact'}`,
]);
says('main proves the wall', 'main', [
  'connect to 203.0.113.252: EPERM',
  'datagram to 203.0.113.252: EPERM',
  'connect to 2001:db8::fffd: EPERM',
  'datagram to 2001:db8::fffd: EPERM',
  'question for a name that is not allowed: response code 5',
  'question for an allowed name: 203.0.113.254',
  'connect to the allowed name: connected',
  'debug: the wall refused a raw frame on every uplink',
]);

const lacking = linesOf('lacking');
const isTold = (name: string) =>
  lacking.some((line) => line.startsWith(`::error::${name}: `) && line.includes('; '));
check(
  'main says what a container without types and cgroups lacks, with remedies, and starts nothing',
  [
    ...kernel,
    'root: is root',
    'container job or slim image: yes (own namespaces: pid, ipc)',
    'kernel types (BTF): no /sys/kernel/btf/vmlinux',
    'cgroup2: not mounted',
  ].every((line) => lacking.includes(line)) &&
    ['container job or slim image', 'kernel types (BTF)', 'cgroup2'].every(isTold) &&
    lacking.some((line) => line.endsWith('Nothing on this runner has changed')) &&
    outputsOf('lacking-output').get('supported') === 'false' &&
    outputsOf('lacking-output').get('enforcing') === 'false',
  lacking,
);

const outputs = outputsOf('main-output');
check(
  'main is green: its outputs say so',
  outputs.get('enforcing') === 'true' &&
    outputs.get('supported') === 'true' &&
    outputs.get('mode') === 'enforce' &&
    outputs.get('audit-log') === '/run/cargowall/records/audit.jsonl' &&
    /^\d+$/u.test(outputs.get('pid') ?? ''),
  [...outputs],
);

const saidBy = (who: string) => linesOf(who).join('\n');
check('an allowed name is reached', saidBy('allowed') === 'hello', linesOf('allowed'));
const refusals = {
  'refused-name': /bad address/u,
  'refused-address': /Operation not permitted/u,
  'refused-address6': /Operation not permitted/u,
  'refused-port': /Operation not permitted/u,
  'refused-ping': /Operation not permitted/u,
  'refused-after-hog': /Operation not permitted/u,
};
for (const [who, words] of Object.entries(refusals)) {
  check(`${who} is refused to the job`, words.test(saidBy(who)), linesOf(who));
}

if (isUser) {
  says('main proves the lockdown', 'main', [
    'sudo /usr/bin/true: refused',
    'sudo may run /usr/bin/id: allowed',
  ]);
  check(
    'the runner user has sudo before, then only for what is allowed, and afterwards again',
    saidBy('sudo-before') === 'code 0' &&
      saidBy('sudo-other').endsWith('code 1') &&
      saidBy('sudo-allowed') === '0\ncode 0' &&
      saidBy('sudo-after') === 'code 0',
    ['before', 'other', 'allowed', 'after'].map((when) => linesOf(`sudo-${when}`)),
  );
  check(
    "an engine's socket is closed to the user, open connections end, and it is given back",
    saidBy('held') === 'connected\nended\nEACCES' && saidBy('socket-after') === '660 0 1001',
    [linesOf('held'), linesOf('socket-after')],
  );
}

const ours = linesOf('ours');
check(
  'keeper, loader and daemon have oom_score_adj -900',
  ours.length === 3 && ours.every((line) => line.endsWith(' -900')),
  ours,
);
const killed = linesOf('killed');
check(
  'a job that takes all memory ends first, and nothing else does',
  saidBy('hog').endsWith('code 137') &&
    killed.length === 1 &&
    killed.every((line) => line.includes('(dd)')) &&
    saidBy('ours-after') === ours.join('\n'),
  { hog: linesOf('hog'), killed, ours, after: linesOf('ours-after') },
);

const far = linesOf('far');
check('what is allowed came to the far side', far.includes('packet to 198.51.100.10'), far);
check(
  'what is refused never came there: address, ping, port, question',
  !far.some((line) => /198\.51\.100\.20|2001:db8:1::20|secrets/u.test(line)) &&
    far.filter((line) => line.startsWith('request')).length === 1,
  far,
);
check('after the end of the worker nothing is left', linesOf('left').length === 0, linesOf('left'));
check('and nothing is refused', saidBy('after') === 'hello', linesOf('after'));

const { records, badLines } = decodeLog(`${saidBy('log')}\n`);
check('every line of the log is a record', records.length > 0 && badLines.length === 0, badLines);
const isEvent = (record: AuditRecord): record is AuditEvent =>
  record.event_type.startsWith('connection') ||
  record.event_type === 'protocol_blocked' ||
  record.event_type === 'dns_blocked';
const events = records.filter(isEvent).filter(({ reason }) => reason !== 'proof');

/** Whether exactly one record is so, by these fields. */
function isRecorded(name: string, wanted: Partial<AuditEvent>): void {
  const isIt = (event: AuditEvent) =>
    Object.entries(wanted).every(([key, value]) => event[key as keyof AuditEvent] === value);
  check(name, events.filter(isIt).length === 1, events);
}

isRecorded('the allowed connection is recorded with process, name and rule', {
  event_type: 'connection_allowed',
  dst_ip: '198.51.100.10',
  dst_hostname: 'files.example.com',
  dst_port: 80,
  protocol: 'TCP',
  process: 'wget',
  matched_rule: 'files.example.com',
  origin: 'job',
  blocked: false,
});
isRecorded('the refused address is recorded with its process', {
  event_type: 'connection_blocked',
  dst_ip: '198.51.100.20',
  dst_port: 80,
  protocol: 'TCP',
  process: 'wget',
  origin: 'job',
  layer: 'connect',
  blocked: true,
});
isRecorded('the refused IPv6 address is recorded with its process', {
  event_type: 'connection_blocked',
  dst_ip: '2001:db8:1::20',
  process: 'wget',
  blocked: true,
});
isRecorded('the refused port of an allowed name is recorded', {
  event_type: 'connection_blocked',
  dst_ip: '198.51.100.10',
  dst_hostname: 'files.example.com',
  dst_port: 8080,
  process: 'wget',
  blocked: true,
});
isRecorded('the refused ping is recorded with its process', {
  dst_ip: '198.51.100.20',
  protocol: 'ICMP',
  process: 'ping',
  blocked: true,
});
const questions = events.filter(
  (event) => event.event_type === 'dns_blocked' && event.dst_hostname === 'secrets.example.net',
);
check(
  'the refused name is recorded with its process',
  questions.length > 0 && questions.every((event) => event.process === 'wget' && event.blocked),
  events,
);

const ends = records.filter((one): one is SessionEnded => one.event_type === 'session_ended');
const [end] = ends;
check(
  'post has sealed the session, and nothing was lost',
  ends.length === 1 && end !== undefined && Object.values(end.lost).every((count) => count === 0),
  ends,
);
const incidents = records.filter(({ event_type: type }) =>
  ['tamper', 'daemon_restarted'].includes(type),
);
check('the self-check found nothing in the whole session', incidents.length === 0, incidents);
check(
  'post ends well',
  linesOf('post').every((line) => !line.startsWith('::error')) && linesOf('post').length > 0,
  linesOf('post'),
);
const summary = saidBy('summary');
const told = ['198.51.100.20', 'secrets.example.net', 'files.example.com', 'wget', 'ping'];
check(
  'the summary names what was refused, by whom, and what was allowed',
  told.every((one) => summary.includes(one)),
  summary,
);
