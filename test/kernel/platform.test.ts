// Metadata addresses (spec 6): open to runner processes and to the fixed services of the platform,
// to nobody else, and taken away by a deny of the user's.
import { mkdirSync, rmdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Guarded } from '../lab/guarded.ts';
import { cgroupMount, eachLine, line } from '../lab/lab.ts';
import type { SessionWishes } from '../lab/session.ts';

const METADATA = '169.254.169.254';
const WIRE_SERVER = '168.63.129.16';
const SLICE = `${cgroupMount()}/system.slice`;
const AGENT = `${SLICE}/walinuxagent.service`;
const CLIENT = `${SLICE}/NetworkManager.service`;
const OTHER = `${SLICE}/cargowall-test.service`;
const SERVE = `
import socket, threading, subprocess
for a in ['${METADATA}', '${WIRE_SERVER}']:
    subprocess.run(['ip', 'addr', 'add', a + '/32', 'dev', 'lo'], check=True)
def serve(s):
    while True: s.accept()[0].close()
for a, p in [('${METADATA}', 80), ('${METADATA}', 81), ('${WIRE_SERVER}', 80), ('${WIRE_SERVER}', 32526)]:
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind((a, p)); s.listen(8)
    threading.Thread(target=serve, args=(s,), daemon=True).start()
print('ready', flush=True)
threading.Event().wait()
`;
/** Tries what it is told, and says what became of it. */
const TRY = `
import socket, sys
print('ready', flush=True)
for line in sys.stdin:
    a, p = line.split()
    s = socket.socket(); s.settimeout(1)
    try: s.connect((a, int(p))); print('got connected', flush=True)
    except OSError as e: print('got ' + type(e).__name__, flush=True)
`;

let guarded: Guarded;
const made: string[] = [];
beforeEach(async () => {
  // parents first; what was there before stays
  for (const path of [SLICE, AGENT, CLIENT, OTHER]) {
    try {
      mkdirSync(path);
      made.unshift(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  guarded = new Guarded('plat');
  await guarded.open();
  await guarded.lab.serve(SERVE);
});
afterEach(() => {
  guarded.close();
  for (const path of made.splice(0)) rmdirSync(path);
});

/** Starts a client in a cgroup, guards, and asks it to connect. */
async function outcomes(cgroup: string, wishes: SessionWishes, targets: readonly string[]) {
  const child = guarded.lab.spawn(['/usr/bin/python3', '-u', '-c', TRY], cgroup);
  await line(child, 'ready');
  await guarded.guard(wishes);
  const said: string[] = [];
  for (const target of targets) {
    const answer = line(child, 'got');
    child.stdin?.write(`${target}\n`);
    said.push((await answer).replace('got ', ''));
  }
  child.stdin?.end();
  await new Promise((resolve) => child.once('exit', resolve));
  return said;
}

const TARGETS = [`${METADATA} 80`, `${WIRE_SERVER} 80`, `${WIRE_SERVER} 32526`, `${METADATA} 81`];

/** Sends a datagram when it is told to, as a client that renews its lease does. */
const RENEW = `
import socket, sys
print('ready', flush=True); sys.stdin.readline()
try: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(sys.argv[1].encode(), ('192.0.2.1', 67)); print('got sent', flush=True)
except OSError as e: print('got ' + type(e).__name__, flush=True)
`;
const LEASES = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('192.0.2.1', 67)); print('ready', flush=True)
while True: print('heard', s.recv(99).decode(), flush=True)
`;

/** A client in a cgroup; resolves to what it is told of its datagram, which the wall drops in silence. */
async function client(text: string, cgroup: string): Promise<() => Promise<string>> {
  const child = guarded.lab.spawn(['/usr/bin/python3', '-u', '-c', RENEW, text], cgroup);
  await line(child, 'ready');
  return async () => {
    const answer = line(child, 'got ');
    child.stdin?.write('\n');
    return (await answer).replace('got ', '').trim();
  };
}

describe("the machine's lease", () => {
  test.each([
    ['by a service of the platform', () => AGENT, true],
    ['by no other service', () => OTHER, false],
    ['not by the job', () => guarded.lab.job, false],
  ])('is renewed %s', async (_who, cgroup, passes) => {
    const tried = await client('tried', cgroup());
    const last = await client('last', AGENT);
    const server = await guarded.lab.serve(LEASES);
    const heard: string[] = [];
    eachLine(server, (text) => heard.push(text));
    await guarded.guard({});
    await tried();
    const isLast = line(server, 'heard last');
    expect(await last()).toBe('sent');
    await isLast;
    expect(heard.includes('heard tried')).toBe(passes);
  });
});

describe('metadata addresses', () => {
  test('are open to runner processes, on their ports', async () => {
    const said = await outcomes(guarded.lab.work, {}, TARGETS);
    expect(said).toEqual(['connected', 'connected', 'connected', 'PermissionError']);
    const events = await guarded.events((all) => all.length >= 4);
    const types = events.map(({ dst_ip, auto_allowed_type: type }) => [dst_ip, type ?? '']);
    expect(types).toEqual([
      [METADATA, 'cloud_metadata'],
      [WIRE_SERVER, 'azure_infrastructure'],
      [WIRE_SERVER, 'azure_infrastructure'],
      [METADATA, ''],
    ]);
  });

  test('are closed to the job', async () => {
    const said = await outcomes(guarded.lab.job, {}, TARGETS);
    expect(said).toEqual(Array(4).fill('PermissionError'));
  });

  test("are open to the platform's agents, known by their own cgroups", async () => {
    const said = await outcomes(AGENT, {}, TARGETS);
    expect(said).toEqual(['connected', 'connected', 'connected', 'TimeoutError']);
  });

  test.each([
    ['another service of the same slice', () => OTHER],
    ['a DHCP client, which may do nothing but renew the lease', () => CLIENT],
  ])('are closed to %s', async (_what, cgroup) => {
    const said = await outcomes(cgroup(), {}, TARGETS.slice(0, 2));
    expect(said).toEqual(['TimeoutError', 'TimeoutError']);
  });

  test('are closed to runner processes by a deny of the user', async () => {
    const said = await outcomes(guarded.lab.work, { block: METADATA }, TARGETS.slice(0, 2));
    expect(said).toEqual(['PermissionError', 'connected']);
  });

  test('are opened to the job by an allow of the user', async () => {
    const wishes = { allow: `${METADATA}:80/tcp` };
    const said = await outcomes(guarded.lab.job, wishes, TARGETS.slice(0, 2));
    expect(said).toEqual(['connected', 'PermissionError']);
  });
});
