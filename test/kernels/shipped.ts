// Judges what a guest has said in which the action ran as it ships: node shipped.ts LOG WALL. One line a check.
import { readFileSync } from 'node:fs';
import type { AuditEvent, AuditRecord, SessionEnded } from '../../src/core/audit/event.ts';
import { decodeLog } from '../../src/core/audit/jsonl.ts';

const [, , path = '', wall = ''] = process.argv;
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
  'processor: x64',
  `security modules (LSM): ${lsm}; none is needed`,
  'root: is root',
];

says('main says what this kernel has', 'main', [
  ...kernel,
  'container job or slim image: no',
  'kernel types (BTF): yes',
  'cgroup2: /sys/fs/cgroup',
]);
says('main says what this kernel has taken', 'main', [
  'hooks: 11 of the cgroup, 3 tracepoints',
  'packet, XDP and vsock sockets of the job: refused',
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
  'refused-name': /Could not resolve host/u,
  'refused-address': /Failed to connect|Couldn't connect/u,
  'refused-address6': /Failed to connect|Couldn't connect/u,
  'refused-port': /Failed to connect|Couldn't connect/u,
  'refused-ping': /Operation not permitted/u,
};
for (const [who, words] of Object.entries(refusals)) {
  check(`${who} is refused to the job`, words.test(saidBy(who)), linesOf(who));
}

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
  process: 'curl',
  matched_rule: 'files.example.com',
  origin: 'job',
  blocked: false,
});
isRecorded('the refused address is recorded with its process', {
  event_type: 'connection_blocked',
  dst_ip: '198.51.100.20',
  dst_port: 80,
  protocol: 'TCP',
  process: 'curl',
  origin: 'job',
  layer: 'connect',
  blocked: true,
});
isRecorded('the refused IPv6 address is recorded with its process', {
  event_type: 'connection_blocked',
  dst_ip: '2001:db8:1::20',
  process: 'curl',
  blocked: true,
});
isRecorded('the refused port of an allowed name is recorded', {
  event_type: 'connection_blocked',
  dst_ip: '198.51.100.10',
  dst_hostname: 'files.example.com',
  dst_port: 8080,
  process: 'curl',
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
  questions.length > 0 && questions.every((event) => event.process === 'curl' && event.blocked),
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
const told = ['198.51.100.20', 'secrets.example.net', 'files.example.com', 'curl', 'ping'];
check(
  'the summary names what was refused, by whom, and what was allowed',
  told.every((one) => summary.includes(one)),
  summary,
);
