// What an engine does while the wall stands: containers and networks made later, builds, downloads of
// its own, containers that have the machine's network, and one that is root on it.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { tell } from '../bypass/told.ts';
import { ROOT, TOOLS } from '../lab/docker.ts';
import { until } from '../lab/lab.ts';
import { ALLOWED, ALLOWED_NAME, POLICY, Quay, REFUSED } from './quay.ts';

const quay = new Quay('engine');
const { docker, guarded } = quay;
const closed: string[] = [];
/** The loader, which sees the machine's mounts. */
let loader = '';

beforeAll(async () => {
  await quay.open();
  await guarded.guard(POLICY);
  const procs = readFileSync(`${guarded.lab.cgroup}/cargowall.loader/cgroup.procs`, 'utf8');
  loader = procs.trim().split('\n').at(-1) ?? '';
}, 90_000);
afterAll(() => {
  quay.close();
  tell(closed.map((one) => `${one}: closed`));
});

/** What a step recorded of the refused address. */
async function refusals(step: () => void): Promise<readonly AuditEvent[]> {
  const since = (await guarded.events()).length;
  const isIt = (event: AuditEvent) => event.dst_ip === REFUSED && event.blocked;
  step();
  const events = await guarded.events((all) => all.slice(since).some(isIt));
  await quay.expectNoLeak();
  return events.slice(since).filter(isIt);
}

test('case 39, a container made later is like any other', async () => {
  const shell = quay.fresh();
  await quay.expectAllowed(shell, 'fresh');
  expect(await quay.expectNameRefused(shell)).toMatchObject({ origin: 'container' });
  expect(await quay.expectAddressRefused(shell)).toMatchObject({ origin: 'container' });
  closed.push('case 39, a container made later');
});

test('case 36, so is one in a network made later, which is local at once', async () => {
  docker.must('network', 'create', 'later');
  docker.serve('web', '--network', 'later', '-p', '8081:8080');
  const shell = quay.fresh('--network', 'later');
  const since = (await guarded.events()).length;
  expect(shell('wget -q -O - http://web:8080/').stdout.trim()).toBe('web');
  const request = `http://${docker.addressOf('web')}:8080/`;
  expect(guarded.run('curl', '-s', '-m', '5', request).stdout.trim()).toBe('web');
  expect(guarded.run('curl', '-s', '-m', '5', 'http://192.0.2.2:8081/').stdout.trim()).toBe('web');
  await quay.expectAllowed(shell, 'later');
  const events = await guarded.events((all) => all.slice(since).length >= 2);
  const outside = [ALLOWED, '198.51.100.10'];
  expect(
    events.slice(since).filter(({ dst_ip: address = '' }) => !outside.includes(address)),
  ).toEqual([]);
  expect(await quay.expectNameRefused(shell)).toMatchObject({ origin: 'container' });
  expect(await quay.expectAddressRefused(shell)).toMatchObject({ origin: 'container' });
  closed.push('case 36, a network made later');
});

test('case 11, a network with IPv6', async () => {
  docker.must('network', 'create', '--ipv6', '--subnet', 'fd00:7::/64', 'six');
  const to = '2001:db8:1::66';
  const { stdout } = quay.fresh('--network', 'six')(`timed nc -w 5 ${to} 84`);
  expect(stdout).toContain('not permitted');
  const isIt = (event: AuditEvent) => event.dst_ip === to && event.blocked;
  const events = await guarded.events((all) => all.some(isIt));
  expect(events.filter(isIt)).toMatchObject([{ origin: 'container', process: 'nc', dst_port: 84 }]);
  closed.push('case 11, a network with IPv6');
});

test.each([
  ['default', 'the default bridge'],
  ['host', "the host's network"],
])('case 41, a build in the network %s', async (network, what) => {
  const script = `wget -q -O - http://${ALLOWED_NAME}/build-${network}; nc -w 5 ${REFUSED} 81`;
  const context = docker.context({ Dockerfile: `FROM box\nRUN ${script}; echo code $?\n` });
  const [refused, ...more] = await refusals(() => {
    const said = docker.must('build', '--no-cache', '--network', network, context);
    expect(said).toContain(`hello from ${ALLOWED_NAME}`);
    expect(said).toContain('code 1');
  });
  expect(refused).toMatchObject({ origin: 'container', process: 'nc', dst_port: 81 });
  expect(more).toEqual([]);
  closed.push(`case 41, a build in ${what}`);
});

test('case 34, what the engine itself fetches for the job', async () => {
  docker.run('import', `http://${ALLOWED_NAME}/image.tar`, 'fetched');
  await until(() => guarded.heard.some((text) => text.includes('/image.tar')), 'the download');
  const added = docker.context({ Dockerfile: `FROM box\nADD http://${REFUSED}/a /a\n` });
  for (const words of [
    ['import', `http://${REFUSED}/image.tar`, 'fetched'],
    ['build', '--no-cache', added],
    ['pull', `${REFUSED}:5000/image`],
  ]) {
    const [refused] = await refusals(() => {
      const done = docker.run(...words);
      expect(done.code).not.toBe(0);
      expect(`${done.stdout}${done.stderr}`).toContain('operation not permitted');
    });
    expect(refused).toMatchObject({ origin: 'system', process: 'dockerd' });
  }
  closed.push('case 34, downloads of the engine');
});

const PING = `ping -c 1 -W 2 ${REFUSED}`;
const FRAME = (device: string, gateway: string, port: number) => `
import socket, struct, subprocess
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('${device}', 0))
subprocess.run(['ping', '-c', '1', '-W', '2', '${gateway}'], capture_output=True)
mac = next(w[3] for w in map(str.split, open('/proc/net/arp')) if w[0] == '${gateway}')
src = [w for w in subprocess.run(['/bin/busybox', 'ip', '-4', 'addr', 'show', 'dev', '${device}'], capture_output=True, text=True).stdout.split()]
src = src[src.index('inet') + 1].split('/')[0]
def packet(to, port):
    body = struct.pack('>HHHH', 40000 + port, port, 12, 0) + b'mark'
    head = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(body), 1, 0, 64, 17, 0, socket.inet_aton(src), socket.inet_aton(to))
    t = sum(struct.unpack('>10H', head)); t = (t >> 16) + (t & 0xffff)
    return head[:10] + struct.pack('>H', ~t & 0xffff) + head[12:] + body
try: print('sent', s.send(bytes.fromhex(mac.replace(':', '')) + s.getsockname()[4] + b'\\x08\\0' + packet('${REFUSED}', ${port})))
except OSError as e: print(e.errno)
`;

test('case 19, raw packets of a container', async () => {
  const [refused] = await refusals(() => {
    const { stdout, stderr } = quay.fresh()(`timed ${PING}`);
    expect(`${stdout}${stderr}`).toContain('not permitted');
  });
  expect(refused).toMatchObject({
    event_type: 'protocol_blocked',
    protocol: 'ICMP',
    origin: 'container',
    process: 'ping',
  });
  closed.push('case 19, raw packets of a container');
});

test.each([
  ['a container on a bridge', [], 'eth0', '172.17.0.1', 82, /^sent \d+$/u],
  ["a container with the host's network", ['--network', 'host'], 'up0', '192.0.2.1', 83, /^105$/u],
] as const)('case 25, frames of %s', async (what, options, device, gateway, port, said) => {
  const [refused] = await refusals(() => {
    const done = docker.run(
      ...['run', '--rm', ...TOOLS, ...options, 'box'],
      ...['/usr/bin/python3', '-c', FRAME(device, gateway, port)],
    );
    expect(done.stderr).toBe('');
    expect(done.stdout.trim()).toMatch(said);
  });
  expect(refused).toMatchObject({ dst_port: port, protocol: 'UDP', layer: 'tc' });
  if (device === 'eth0') expect(refused).toMatchObject({ origin: 'container' });
  closed.push(`case 25, frames of ${what}`);
});

test('case 40, a container that is root: no rule of the packet filter is needed, and tampering is told', async () => {
  const root = ['--network', 'host', '--pid', 'host', ...TOOLS, ...ROOT];
  const shell = quay.fresh(...root, '-v', '/etc/alternatives:/etc/alternatives');
  const flush = shell(
    'export PATH=/usr/sbin:/usr/bin:$PATH; iptables -F && iptables -t nat -F && iptables -P FORWARD ACCEPT && echo flushed',
  );
  expect(`${flush.stdout}${flush.stderr}`).toContain('flushed');
  expect(await quay.expectAddressRefused(shell)).toMatchObject({ origin: 'container' });
  const gone = shell(
    `/bin/nsenter -t ${loader} -m rm /run/cargowall/bpf/link_egress_connect4 && echo gone`,
  );
  expect(`${gone.stdout}${gone.stderr}`).toContain('gone');
  const since = Date.now();
  const log = () => guarded.run('grep', '"tamper"', '/run/cargowall/records/audit.jsonl').stdout;
  await until(() => log().includes('egress_connect4'), 'the record');
  expect(Date.now() - since).toBeLessThan(2000);
  expect(await quay.expectAddressRefused(shell)).toMatchObject({ origin: 'container' });
  closed.push('case 40, a container that is root on the machine');
});
