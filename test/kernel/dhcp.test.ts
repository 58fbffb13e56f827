// The machine's lease (threats.md 17): a real client renews it from T1 on, asks everybody from T2 on, and asks
// anew when it has run out, in the cgroup of a service that is known for it; in no other.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tell } from '../bypass/told.ts';
import { Guarded } from '../lab/guarded.ts';
import { cgroupMount, eachLine, until } from '../lab/lab.ts';

const SLICE = `${cgroupMount()}/system.slice`;
const OF_SERVICE = (name: string) => `${SLICE}/${name}.service`;
const SERVICES = ['systemd-networkd', 'NetworkManager', 'networking', 'dhcpcd', 'cargowall-test'];
/** Instances: Debian's ifup@.service names its slice, dhcpcd@.service has the one a template has by default. */
const INSTANCES = ['ifup@up0', 'system-dhcpcd.slice/dhcpcd@up0', 'cargowall-ifup@up0'];

/** Every message to a server, as it is on the internet's side: its type and both addresses. */
const SNIFFER = `
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.bind(('up1', 0))
print('ready', flush=True)
while True:
    d, a = s.recvfrom(65536)
    if b'GET /barrier' in d: print('barrier', flush=True)
    if a[2] == 4 or d[12:14] != b'\\x08\\0' or d[23] != 17 or d[36:38] != b'\\0\\x43': continue
    kind = {1: 'discover', 3: 'request'}.get(d[284], d[284])
    print('asked', kind, socket.inet_ntoa(d[26:30]), socket.inet_ntoa(d[30:34]), flush=True)
`;
/** Short times, whatever the server says; nothing of the machine is configured. */
const CONF = `
timeout 20; retry 1; initial-interval 1; backoff-cutoff 1; select-timeout 0;
supersede dhcp-renewal-time 2; supersede dhcp-rebinding-time 5; supersede dhcp-lease-time 8;
`;

const SERVER = '198.51.100.11';

let guarded: Guarded;
let folder: string;
let asked: string[];
let server: ChildProcess;
const made: string[] = [];
const closed: string[] = [];

beforeEach(async () => {
  const folders = [SLICE, `${SLICE}/system-dhcpcd.slice`];
  for (const path of [...folders, ...[...SERVICES, ...INSTANCES].map(OF_SERVICE)]) {
    try {
      mkdirSync(path);
      made.unshift(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  folder = mkdtempSync(join(tmpdir(), 'cargowall-dhcp-'));
  guarded = new Guarded('dhcp');
  await guarded.open();
  asked = [];
  eachLine(await guarded.lab.serve(SNIFFER), (text) => asked.push(text));
  server = spawn(
    'ip',
    [
      ...['netns', 'exec', guarded.lab.net, 'dnsmasq', '--no-daemon', '--conf-file=/dev/null'],
      ...['--port=0', '--interface=up1', '--bind-interfaces', '--no-ping', '--leasefile-ro'],
      ...['--dhcp-range=192.0.2.2,192.0.2.2,2m', '--dhcp-authoritative', '--log-facility=-'],
    ],
    { stdio: ['ignore', 'ignore', 'ignore'] },
  );
  guarded.lab.adopt(server);
});
afterEach(() => {
  guarded.close();
  rmSync(folder, { recursive: true, force: true });
  for (const path of made.splice(0)) rmdirSync(path);
});
afterAll(() => {
  tell(closed.map((one) => `case 17, ${one}: closed`));
});

/** A client in a cgroup, and what it has said so far. */
function startClient(cgroup: string): string[] {
  writeFileSync(join(folder, 'conf'), CONF);
  writeFileSync(join(folder, 'script'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  const files = [
    ...['-cf', join(folder, 'conf'), '-sf', join(folder, 'script')],
    ...['-lf', join(folder, 'leases'), '-pf', join(folder, 'pid')],
  ];
  const words = ['sh', '-c', 'exec "$@" 2>&1', 'sh', 'dhclient', '-4', '-d', ...files, 'up0'];
  const child = guarded.lab.spawn(words, cgroup);
  const said: string[] = [];
  eachLine(child, (text) => said.push(text));
  return said;
}

const RENEWAL = 'asked request 192.0.2.2 192.0.2.1';
const REBINDING = 'asked request 192.0.2.2 255.255.255.255';
const EVERYBODY = '255.255.255.255';
const DISCOVERY = 'asked discover 0.0.0.0 255.255.255.255';
const bound = (said: readonly string[]) =>
  said.filter((text) => text.startsWith('bound to')).length;

/** A lease from before the wall; what has been asked since it stands. */
async function guardClient(cgroup: string): Promise<string[]> {
  const said = startClient(cgroup);
  await until(() => bound(said) > 0, 'the first lease');
  // a renewal before the flip is no flow that goes on
  await guarded.guard({ allow: `${SERVER}:80/tcp`, allowExisting: false });
  asked.length = 0;
  return said;
}

describe('a lease', () => {
  test.each([
    ['systemd-networkd', 'the network service of systemd'],
    ['NetworkManager', 'NetworkManager'],
    ['networking', 'ifupdown'],
    ['dhcpcd', 'dhcpcd'],
    ['ifup@up0', 'ifupdown, of one interface'],
    ['system-dhcpcd.slice/dhcpcd@up0', 'dhcpcd, of one interface'],
  ])('is renewed from the cgroup of %s', async (name) => {
    const said = await guardClient(OF_SERVICE(name));
    const before = bound(said);
    await until(() => asked.includes(RENEWAL) && bound(said) > before, 'a renewal');
    closed.push(`a lease is renewed by ${name}`);
  });

  test('is asked for of everybody, and anew, where the server does not answer', async () => {
    const said = await guardClient(OF_SERVICE('networking'));
    server.kill('SIGSTOP');
    await until(() => asked.includes(REBINDING), 'T2', 15_000);
    await until(() => asked.includes(DISCOVERY), 'the end of the lease', 15_000);
    const before = bound(said);
    server.kill('SIGCONT');
    await until(() => bound(said) > before, 'a new lease', 15_000);
    closed.push('a lease that is lost is asked for anew');
  }, 60_000);

  test.each([
    ['another service', () => OF_SERVICE('cargowall-test')],
    ['an instance of another service', () => OF_SERVICE('cargowall-ifup@up0')],
    ['the job', () => guarded.lab.job],
  ])(
    'is not renewed from the cgroup of %s',
    async (what, cgroup) => {
      const said = await guardClient(cgroup());
      const ends = () => said.findLastIndex((text) => text.startsWith('DHCPDISCOVER'));
      const first = ends();
      // it has tried T1 and T2 when it asks anew
      await until(() => ends() > first, 'the end of the lease', 20_000);
      guarded.run('curl', '-s', `http://${SERVER}/barrier`);
      await until(() => asked.includes('barrier'), 'what the job may send');
      expect(asked.filter((text) => text !== 'barrier')).toEqual([]);
      const events = await guarded.events((all) => all.some((event) => event.dst_ip === EVERYBODY));
      expect(events.filter(({ blocked }) => blocked)).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ dst_ip: '192.0.2.1', dst_port: 67, protocol: 'UDP' }),
          expect.objectContaining({ dst_ip: EVERYBODY, dst_port: 67, protocol: 'UDP' }),
        ]),
      );
      closed.push(`a lease is not renewed from the cgroup of ${what}`);
    },
    60_000,
  );
});
