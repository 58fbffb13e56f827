// What can still change in a frame when the wall has judged it: pages its sender can write to, and the
// checksum that the device, or the kernel for it, fills in where the sender says.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eachLine, until } from '../lab/lab.ts';
import { ALLOWED, Arena } from './arena.ts';
import { shape } from './case.ts';
import { Told } from './told.ts';

const arena = new Arena('after');
const told = new Told();
const { lab } = arena.guarded;
const BOX = ['nsenter', `--net=/run/cw-netns/${lab.box}`];
const seen: string[] = [];

/** Says of each frame with a marker where it goes: `mark-1! 198.51.101.1:9`. */
const WHERE = `
import re, socket, struct
s = socket.socket(17, 3, socket.htons(3))
print('ready', flush=True)
while True:
    d, a = s.recvfrom(65536)
    if a[2] == 4 or a[0] == 'lo' or d[12:14] != b'\\x08\\0': continue
    to = socket.inet_ntoa(d[30:34]) + ':' + str(struct.unpack('>H', d[36:38])[0])
    for m in re.findall(rb'mark-[0-9a-z-]+!', d): print(m.decode(), to, flush=True)
`;

beforeAll(async () => {
  await arena.open();
  // an uplink that leaves checksums to the kernel (ETHTOOL_STXCSUM)
  const unaided = `
import array, fcntl, socket, struct
off = array.array('B', struct.pack('II', 0x17, 0))
fcntl.ioctl(socket.socket(2, 2), 0x8946, struct.pack('16sQ16x', b'up0', off.buffer_info()[0]))`;
  expect(arena.root('/usr/bin/python3', '-c', unaided)).toBe('');
  await arena.guard();
  eachLine(await lab.serve(WHERE), (text) => seen.push(text));
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

/** A frame of a container's whose checksum is to be written `offset` bytes behind the start of UDP's header. */
const CHECKSUM = (offset: number) => `
import re
mac = bytes.fromhex(re.search(r'172.30.0.1 .*?((..:){5}..)', open('/proc/net/arp').read()).group(1).replace(':', ''))
s = socket.socket(17, 3); s.setsockopt(263, 15, 1); s.bind(('in1', 0))
whole = udp(bytes(2) + M + bytes(len(M) % 2))
want = sum(struct.unpack('>%dH' % (len(whole) // 2), whole)) % 65535
fill = (65535 - 4444 - want) % 65535
p = ipv4(17, whole[:8] + struct.pack('>H', fill) + whole[10:], src='172.30.0.2')
s.send(struct.pack('<BBHHHH', 1, 0, 0, 0, 34, ${offset}) + mac + s.getsockname()[4] + b'\\x08\\0' + p)`;

test('case 20 (N), a checksum that is to be written over a port that was judged', async () => {
  const known = arena.attempt('U', 'datagram().sendto(M, (TO, 9))', ALLOWED, BOX);
  expect(await arena.hasArrived(known.marker, true)).toBe(true);
  const passed = arena.attempt('N', CHECKSUM(6), '198.51.101.20', BOX);
  expect([passed.stdout.trim(), passed.stderr]).toEqual(['sent', '']);
  await until(() => seen.includes(`${passed.marker} 198.51.101.20:9`), 'the control to arrive');
  const tried = arena.attempt('N', CHECKSUM(2), '198.51.101.21', BOX);
  expect([tried.stdout.trim(), tried.stderr]).toEqual(['sent', '']);
  await arena.barrier();
  expect(seen.filter((text) => text.startsWith(tried.marker))).toEqual([]);
  expect(await arena.blocksOf('198.51.101.21')).toMatchObject([shape]);
  told.closed(20, 'a checksum that is to be written over a port that was judged');
});

/**
 * A frame in the pages of a packet socket's ring (if_packet.h), written anew when the kernel has it: it
 * waits in the uplink's queue behind one that takes all there is of a second.
 */
const RING = (then: string) => `
import mmap
s = socket.socket(17, 3); s.setsockopt(263, 10, 1); s.setsockopt(263, 13, struct.pack('4I', 4096, 1, 2048, 2))
ring = mmap.mmap(s.fileno(), 4096, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE); s.bind(('mv0', 0))
def write(at, packet):
    p = b'\\xff' * 6 + s.getsockname()[4] + b'\\x08\\0' + packet
    ring[at + 32:at + 32 + len(p)] = p; ring[at + 4:at + 8] = struct.pack('I', len(p))
def ready(at): ring[at:at + 4] = struct.pack('I', 1)
def status(at): return struct.unpack('I', ring[at:at + 4])[0]
write(0, ipv4(17, udp(bytes(1400)), src='192.0.2.2')); write(2048, ipv4(17, udp(M + bytes(1000)), src='192.0.2.2'))
ready(0); ready(2048); s.send(b'', 0x40)
if status(2048) != 2: raise OSError(0, 'the frame is gone')
${then}
while status(2048) == 2: time.sleep(0.01)
if status(2048): raise OSError(status(2048), 'refused')`;

test('case 25 (N), a frame that changes in its pages behind the wall, on a macvlan', async () => {
  const link = [
    'ip',
    'link',
    'add',
    'link',
    'up0',
    'name',
    'mv0',
    'netns',
    `/run/cw-netns/${lab.box}`,
  ];
  expect(arena.root(...link, 'type', 'macvlan', 'mode', 'bridge')).toBe('');
  expect(arena.root(...BOX, 'ip', 'link', 'set', 'mv0', 'up')).toBe('');
  const queue = [
    'tc',
    'qdisc',
    'add',
    'dev',
    'up0',
    'root',
    'tbf',
    'rate',
    '16kbit',
    'burst',
    '1600',
    'latency',
    '5s',
  ];
  expect(arena.root(...queue)).toBe('');
  const passed = arena.attempt('N', RING(''), '198.51.101.25', BOX);
  expect([passed.stdout.trim(), passed.stderr]).toEqual(['sent', '']);
  await until(() => seen.includes(`${passed.marker} 198.51.101.25:9`), 'the control to arrive');
  const other = `write(2048, ipv4(17, udp(M + bytes(1000), 4444), '203.0.112.25', src='192.0.2.2'))`;
  const tried = arena.attempt('N', RING(other), '198.51.101.26', BOX);
  expect([tried.stdout.trim(), tried.stderr]).toEqual(['sent', '']);
  await until(() => seen.some((text) => text.startsWith(tried.marker)), 'the frame to arrive');
  expect(seen.filter((text) => text.startsWith(tried.marker))).toEqual([
    `${tried.marker} 198.51.101.26:9`,
  ]);
  expect(arena.root('tc', 'qdisc', 'del', 'dev', 'up0', 'root')).toBe('');
  told.closed(25, 'a frame that changes in its pages behind the wall');
});
