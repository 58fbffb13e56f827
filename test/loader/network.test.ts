// What the loader makes of routes and interfaces: what is an uplink, what is local, what can't be covered.
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DECIDED_BY, LAYER, MODE, VERDICT } from '../../src/core/flow/layout.gen.ts';
import { policy } from '../lab/entries.ts';
import { Lab, until } from '../lab/lab.ts';
import { events, jobConnect, start } from '../lab/started.ts';

const lab = new Lab('route');
const closed = { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY)] };
const NEIGHBOUR = '10.66.0.1';

function ip(...words: string[]): string {
  return execFileSync('ip', ['-n', lab.runner, ...words], { encoding: 'utf8' });
}

/** A second pair to the lab's internet, over which no route with a gateway leads. */
function openSecondPair(): void {
  const peer = ['peer', 'name', 'side1', 'netns', lab.net];
  ip('link', 'add', 'side0', 'type', 'veth', ...peer);
  ip('addr', 'add', '10.66.0.2/24', 'dev', 'side0');
  ip('link', 'set', 'side0', 'up');
  execFileSync('ip', ['-n', lab.net, 'addr', 'add', `${NEIGHBOUR}/24`, 'dev', 'side1']);
  execFileSync('ip', ['-n', lab.net, 'link', 'set', 'side1', 'up']);
}

beforeEach(async () => {
  await lab.open();
  openSecondPair();
});
afterEach(() => lab.close());

/** What the job gets for a connect to the neighbour behind the second pair. */
function connect(): string {
  return jobConnect(lab, NEIGHBOUR);
}

/** The number of an interface as the kernel counts it. */
function indexOf(name: string): string {
  return ip('-o', 'link', 'show', name).split(':')[0] ?? '';
}

const log = () => lab.run('cat', '/run/cargowall/records/audit.jsonl').stdout;

test('a pair without a gateway is local', async () => {
  await start(lab, closed);
  expect(connect()).toBe('ConnectionRefusedError');
});

test.each([
  ['a gateway', () => ip('route', 'add', '203.0.113.0/25', 'via', NEIGHBOUR, 'dev', 'side0')],
  [
    'several next hops',
    () => {
      const hop = (via: string) => ['nexthop', 'via', via, 'dev', 'side0'];
      ip('route', 'add', '203.0.113.0/25', ...hop(NEIGHBOUR), ...hop('10.66.0.3'));
    },
  ],
  [
    'a next hop object',
    () => {
      const file = '/proc/sys/net/ipv4/nexthop_compat_mode';
      execFileSync('ip', ['netns', 'exec', lab.runner, 'sh', '-c', `echo 0 > ${file}`]);
      ip('nexthop', 'add', 'id', '7', 'via', NEIGHBOUR, 'dev', 'side0');
      ip('route', 'add', '203.0.113.0/25', 'nhid', '7');
    },
  ],
])('a route by %s that comes after green makes its interface an uplink', async (_, route) => {
  await start(lab, closed);
  route();
  const pin = `/run/cargowall/bpf/link_tc_${indexOf('side0')}`;
  await until(() => lab.exists(pin), 'the new uplink is covered, and for good');
  expect(connect()).toBe('PermissionError');
});

test('a next hop object that stands at start makes its interface an uplink', async () => {
  ip('nexthop', 'add', 'id', '7', 'via', NEIGHBOUR, 'dev', 'side0');
  ip('route', 'add', '203.0.113.0/25', 'nhid', '7');
  const { green } = await start(lab, closed);
  expect(green.wall).toBe(0);
  expect(connect()).toBe('PermissionError');
});

test('the frames of the proof come from own addresses, to an address of the same kind', async () => {
  await start(lab, closed);
  const frames = () =>
    events(lab).filter(({ by, layer }) => by === DECIDED_BY.PROOF && layer === LAYER.TC);
  await until(() => frames().length >= 2, 'the frames of both kinds');
  expect(frames().map(({ source, destination }) => `${source} ${destination}`)).toEqual(
    expect.arrayContaining([
      '192.0.2.2 203.0.113.252',
      '20010db8000000000000000000000002 20010db800000000000000000000fffd',
    ]),
  );
  expect(
    frames().every(({ source, destination }) => source.includes('.') === destination.includes('.')),
  ).toBe(true);
});

test('an uplink that carries nothing does not keep the wall from its proof', async () => {
  ip('route', 'add', '203.0.113.0/25', 'via', NEIGHBOUR, 'dev', 'side0');
  ip('link', 'add', 'off0', 'link', 'side0', 'type', 'macvlan');
  ip('addr', 'add', '10.67.0.2/24', 'dev', 'off0');
  const { green } = await start(lab, closed);
  expect(green.wall).toBe(0);
});

test('an interface that can not be covered is told to the daemon by its name, once', async () => {
  await start(lab, closed);
  const lines = Array.from(
    { length: 100 },
    (_, index) => `link add link side0 name many${index} type macvlan`,
  );
  execFileSync('ip', ['-n', lab.runner, '-batch', '-'], { input: lines.join('\n') });
  await until(() => log().includes('many99'), 'the notice of the last one');
  const notices = log()
    .split('\n')
    .filter((one) => one.startsWith('notice'));
  expect(notices.find((one) => one.includes('many99'))).toMatch(
    /"kind":"tamper","what":"interface many99 could not be covered: /,
  );
  expect(new Set(notices).size).toBe(notices.length);
});

/** The kernel's number of the link that covers interface 900. */
function linkId(): string {
  const pin = '/run/cargowall/bpf/link_tc_900';
  return lab.run('bpftool', '-j', 'link', 'show', 'pinned', pin).stdout;
}

test('a new interface takes the place of one that is gone', async () => {
  await start(lab, closed);
  ip('link', 'add', 'link', 'side0', 'name', 'first', 'index', '900', 'type', 'macvlan');
  await until(() => lab.exists('/run/cargowall/bpf/link_tc_900'), 'the first is covered');
  const first = linkId();
  ip('link', 'del', 'first');
  ip('link', 'add', 'link', 'side0', 'name', 'second', 'index', '900', 'type', 'macvlan');
  await until(
    () => linkId().includes('"id"') && linkId() !== first,
    'the second is covered by a link of its own',
  );
});
