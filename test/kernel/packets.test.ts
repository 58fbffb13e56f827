// What connect() never sees: frames, raw packets, admitted flows that outlive their grant, the proof.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DECIDED_BY, KIND, LAYER, MODE, VERDICT } from '../../src/core/flow/layout.gen.ts';
import { type Event, grant, policy, rule } from '../lab/entries.ts';
import { eachLine, Lab, line, OTHER4, SERVER4, until } from '../lab/lab.ts';
import { apply, events, start } from '../lab/started.ts';

const lab = new Lab('packet');
const FAR_FUTURE = 1n << 62n;
let arrived: string[] = [];

/** A TCP echo server, and a sniffer of what the job's machine sends. */
const SERVER = `
import socket, threading
def serve(address):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, 443)); s.listen(16)
    def echo(c):
        while d := c.recv(100): c.sendall(d)
    while True:
        threading.Thread(target=echo, args=(s.accept()[0],), daemon=True).start()
def sniff():
    while True:
        d, a = sniffer.recvfrom(2048)
        if a[2] == 4 or b'marker' not in d: continue
        print('arrived', d.split(b'marker')[1][:3].decode(), flush=True)
sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); sniffer.bind(('up1', 0))
for a in ['${SERVER4}', '${OTHER4}']: threading.Thread(target=serve, args=(a,), daemon=True).start()
threading.Thread(target=sniff, daemon=True).start()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('${SERVER4}', 9))
print('ready', flush=True)
while True: u.recv(100)
`;

beforeEach(async () => {
  arrived = [];
  await lab.open();
  const server = await lab.serve(SERVER);
  eachLine(server, (text) => arrived.push(text));
});
afterEach(() => lab.close());

/** The records of the job's attempts: without the loader's own frame to the proof's address. */
function records(): Event[] {
  return events(lab).filter((one) => one.by !== DECIDED_BY.PROOF || one.layer !== LAYER.TC);
}

function python(script: string): string {
  return lab.run('/usr/bin/python3', '-c', script).stdout.trim();
}

/** Frames of a socket that no cgroup hook sees; `send` says what the kernel answered. */
const FRAMES = `
import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('up0', 0))
own, to = socket.inet_aton('192.0.2.2'), socket.inet_aton('${OTHER4}')
def send(rest):
    try: s.send(b'\\xff' * 6 + s.getsockname()[4] + rest); print('sent')
    except OSError as e: print(type(e).__name__)
def ip(proto, payload, destination=to, options=b''):
    head = bytes([0x45 + len(options) // 4, 0]) + struct.pack('>H', 20 + len(options) + len(payload))
    return b'\\x08\\x00' + head + b'\\0\\0\\0\\0\\x40' + bytes([proto]) + b'\\0\\0' + own + destination + options + payload
def udp(mark, port=9): return struct.pack('>HHHH', 5000, port, 17, 0) + b'marker' + mark
def arp(sender, trailer=b''):
    return b'\\x08\\x06' + b'\\0\\1\\x08\\0\\6\\4\\0\\1' + s.getsockname()[4] + sender + b'\\0' * 6 + to + trailer
allowed = socket.inet_aton('${SERVER4}')
`;

const allowUdp = rule({
  address: SERVER4,
  length: 32,
  proto: 17,
  port: 9,
  verdict: VERDICT.ALLOW,
  rule: 1,
});

test('the wall reads every frame of a frame socket, and passes nothing as the kernel makes it', async () => {
  await start(lab, { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY), allowUdp] });
  const sent = python(`${FRAMES}
send(ip(17, udp(b'u01')))                                     # not allowed
send(ip(1, b'\\0\\0' + b'marker' + b'i01'))                   # an echo reply
send(ip(1, b'\\3\\1' + b'marker' + b'i02'))                   # an unreachable
send(ip(2, b'\\x16' + b'marker' + b'g01'))                    # IGMP
send(ip(47, b'marker' + b'p01', allowed))                     # a tunnel to an allowed address
send(ip(17, udp(b'o01'), allowed, b'\\x94\\4\\0\\0\\x83\\7\\4' + to + b'\\0'))  # a source route behind an alert
send(b'\\x88\\xcc' + b'marker' + b'l01')                      # LLDP
send(b'\\x88\\xcc' + b'marker' + b'l02')
send(b'\\x81\\0\\0\\1' * 3 + ip(17, udp(b'v03'), allowed))     # a third tag
send(arp(own, b'marker' + b'a01'))                            # ARP with something behind it
send(arp(to))                                                 # ARP for another
send(b'\\x86\\xdd' + ip(17, udp(b'e01'), allowed)[2:])        # IPv4 called IPv6
print('--')
send(ip(17, udp(b'ok1'), allowed))
send(b'\\x81\\0\\0\\1' + ip(17, udp(b'ok2'), allowed))
send(arp(own))
`);
  const [refused = '', passed = ''] = sent.split('--').map((part) => part.trim());
  expect(refused.split('\n')).toEqual(Array(12).fill('OSError'));
  expect(passed.split('\n')).toEqual(['sent', 'sent', 'sent']);
  await until(() => arrived.length >= 2, 'the allowed frames');
  expect(arrived.map((text) => text.split(' ').at(-1))).toEqual(['ok1', 'ok2']);
  await until(() => records().length >= 9, 'the records');
  const notIp = records().filter((one) => one.by === DECIDED_BY.NOT_IP);
  expect(notIp.map((one) => [one.proto, one.layer])).toEqual(notIp.map(() => [255, LAYER.TC]));
  expect(notIp.length).toBe(3); // LLDP, the tags and ARP: one for each EtherType
});

test('a refused datagram socket is admitted by the grant that comes later', async () => {
  await start(lab, { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY)] });
  const job = lab.spawn([
    '/usr/bin/python3',
    '-u',
    '-c',
    `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('${SERVER4}', 9))
for l in sys.stdin:
    try: s.send(b'marker' + b'g' + l.strip().encode()); print(f'sent {l}', end='', flush=True)
    except OSError as e: print(f'{type(e).__name__} {l}', end='', flush=True)
`,
  ]);
  const first = line(job, 'Error');
  job.stdin?.write('01\n');
  expect(await first).toBe('PermissionError 01');
  apply(lab, [grant({ address: SERVER4, proto: 17, port: 9, expiresNs: FAR_FUTURE })]);
  const second = line(job, '02');
  job.stdin?.write('02\n');
  expect(await second).toBe('sent 02');
  await until(() => arrived.some((text) => text.endsWith('g02')), 'the datagram');
  await until(() => records().length >= 2, 'both records');
  expect(records().map((one) => [one.allowed, one.comm])).toEqual([
    [false, 'python3'],
    [true, 'python3'],
  ]);
});

/** Connects, then answers each line with what an exchange on that connection gave. */
const TALK = `
import socket, sys
s = socket.socket(); s.settimeout(2); s.connect(('${SERVER4}', 443))
print('open', flush=True)
for l in sys.stdin:
    try: s.sendall(b'x'); print(f'{l.strip()} {s.recv(1).decode()}\\n', end='', flush=True)
    except OSError as e: print(f'{l.strip()} {type(e).__name__}\\n', end='', flush=True)
`;

test('a flow of another namespace goes on after the end of its grant, a new one does not begin', async () => {
  const live = (expiresNs: bigint) => grant({ address: SERVER4, proto: 6, port: 443, expiresNs });
  await start(lab, { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY), live(FAR_FUTURE)] });
  const box = ['nsenter', `--net=/run/cw-netns/${lab.box}`, '/usr/bin/python3', '-u', '-c'];
  const job = lab.spawn([...box, TALK]);
  await line(job, 'open');
  apply(lab, [live(1n)]);
  const answer = line(job, 'after');
  job.stdin?.write('after\n');
  expect(await answer).toBe('after x');
  expect(lab.run(...box, TALK).stderr).toContain('PermissionError');
  // a denied address ends it, whatever admitted it
  const denial = { address: SERVER4, proto: 0, kind: KIND.DENIAL, expiresNs: FAR_FUTURE };
  apply(lab, [grant(denial)]);
  const end = line(job, 'denied');
  job.stdin?.write('denied\n');
  expect(await end).toBe('denied TimeoutError');
});

test('a datagram flow goes on after the end of its grant with its socket, and with no other', async () => {
  const live = (expiresNs: bigint) => grant({ address: SERVER4, proto: 17, port: 9, expiresNs });
  await start(lab, { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY), live(FAR_FUTURE)] });
  const script = `
import socket, sys
def flow():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 4444)); s.connect(('${SERVER4}', 9)); return s
def send(s, what):
    try: s.send(b'marker' + what); print('sent', flush=True)
    except OSError as e: print(type(e).__name__, flush=True)
s = flow(); send(s, b'f01'); sys.stdin.readline(); send(s, b'f02'); s.close(); send(flow(), b'f03')
`;
  const job = lab.spawn(['/usr/bin/python3', '-u', '-c', script]);
  const said: string[] = [];
  eachLine(job, (text) => said.push(text));
  await until(() => said.length === 1, 'the first datagram');
  apply(lab, [live(1n)]);
  job.stdin?.write('on\n');
  await until(() => said.length === 3, 'the last datagram');
  expect(said).toEqual(['sent', 'sent', 'PermissionError']);
});

test.each(['ENFORCE', 'AUDIT'] as const)('the proof is refused in mode %s', async (mode) => {
  await start(lab, { mode: MODE[mode], writes: [policy(VERDICT.ALLOW)] });
  const script = `
import socket
for kind, address, port in [(socket.SOCK_STREAM, '203.0.113.252', 443), (socket.SOCK_STREAM, '203.0.113.254', 443)]:
    s = socket.socket(socket.AF_INET, kind); s.settimeout(1)
    try: s.connect((address, port)); print('connected')
    except OSError as e: print(type(e).__name__)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in [9]:
    try: s.sendto(b'x', ('203.0.113.252', port)); print('sent')
    except OSError as e: print(type(e).__name__)
s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM); s.settimeout(1)
try: s.connect(('2001:db8::fffd', 443)); print('connected')
except OSError as e: print(type(e).__name__)
`;
  expect(python(script).split('\n')).toEqual(Array(4).fill('PermissionError'));
  await until(() => records().length >= 4, 'the records');
  expect(records().every((one) => one.by === DECIDED_BY.PROOF && !one.allowed)).toBe(true);
});

test('audit lets frames pass that enforce refuses, and records them', async () => {
  await start(lab, { mode: MODE.AUDIT, writes: [policy(VERDICT.DENY)] });
  expect(
    python(`${FRAMES}
send(ip(17, udp(b'u01')))
send(ip(1, b'\\0\\0' + b'marker' + b'i01'))
send(b'\\x88\\xcc' + b'marker' + b'l01')
`).split('\n'),
  ).toEqual(['sent', 'sent', 'sent']);
  await until(() => arrived.length >= 3, 'all three');
  await until(() => records().length >= 3, 'the records');
  expect(records().map((one) => [one.proto, one.allowed, one.layer])).toEqual([
    [17, false, LAYER.TC],
    [1, false, LAYER.TC],
    [255, false, LAYER.TC],
  ]);
});

test('a connection from outside to a process of the job is not an opening', async () => {
  await start(lab, { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY)] });
  const listener = lab.spawn([
    '/usr/bin/python3',
    '-u',
    '-c',
    `import socket; s = socket.socket(); s.bind(('192.0.2.2', 8080)); s.listen(1); print('ready', flush=True); s.accept()`,
  ]);
  await line(listener, 'ready');
  const caller = await lab.serve(
    `print('ready', flush=True)
import socket
s = socket.socket(); s.settimeout(1)
try: s.connect(('192.0.2.2', 8080)); print('connected', flush=True)
except OSError as e: print(type(e).__name__, flush=True)
`,
  );
  expect(await line(caller, 'Error')).toBe('TimeoutError');
  await until(() => records().some((one) => one.destination === '192.0.2.1'), 'the record');
});

test("a closed port's reset and an echo's reply pass, unrecorded", async () => {
  await start(lab, { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY)] });
  const caller = await lab.serve(
    `print('ready', flush=True)
import socket, struct
s = socket.socket(); s.settimeout(3)
try: s.connect(('192.0.2.2', 81))
except OSError as e: tcp = type(e).__name__
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); s.settimeout(3)
s.sendto(struct.pack('>BBHHH', 8, 0, 0xf7fe, 0, 1), ('192.0.2.2', 0))
print(f'{tcp} {s.recv(100)[20]}\\n', end='', flush=True)
`,
  );
  expect(await line(caller, 'Error')).toBe('ConnectionRefusedError 0');
  expect(records()).toEqual([]);
});

test('a socket bound to a device is steered to an address it can reach', async () => {
  await start(lab, { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY)] });
  const script = `
import socket
q = bytes.fromhex('123401000001000000000000') + b'\\x07blocked\\x07example\\x00\\x00\\x01\\x00\\x01'
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'up0')
s.sendto(q, ('${OTHER4}', 53)); d, who = s.recvfrom(2048)
print('code', d[3] & 15, 'from', who[0], who[1])
`;
  expect(python(script)).toBe(`code 5 from ${OTHER4} 53`);
});
