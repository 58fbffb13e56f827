// Root writes into the kernel's maps: most take nothing of anybody, and what goes into the others is told
// within two seconds and put right where it can be.
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Told } from '../bypass/told.ts';
import { MAPS } from '../lab/bpf.ts';
import { REFUSED, Tampering } from '../lab/tampering.ts';

let tampering: Tampering;
beforeEach(async () => {
  tampering = new Tampering('writes');
  await tampering.open();
});
afterEach(() => tampering.close());
const cases = new Told();
afterAll(() => cases.print());

/** What the loader writes as long as it runs. */
const WRITTEN_LATER = ['daemons', 'events', 'grants', 'heartbeat', 'locals', 'replies', 'uplinks'];

describe('nobody, root included, writes', () => {
  test.each([
    ['the mode', 'config', `key = bytes(4); value = bytearray(lookup(fd, key, 136)); value[4] = 1`],
    [
      'the policy',
      'policy',
      `key = bytes(4); value = bytearray(lookup(fd, key, 40)); value[4] = 1`,
    ],
    [
      'a rule',
      'rules',
      `key = struct.pack('<IIBBH', 64, 0, 0, 6, 443) + bytes(16); value = struct.pack('<IBBH', 1, 1, 0, 0)`,
    ],
    [
      'an admitted flow',
      'flows',
      `key = bytes(40); value = struct.pack('<QIIIBBHQ', (1 << 63), 1, 1, 0, 1, 4, 0, 0)`,
    ],
    ['a process of the runner’s', 'processes', `key = bytes(4); value = bytes(16)`],
  ])('%s', (what, map, change) => {
    const said = tampering.asRoot(`fd = get('/run/cargowall/bpf/map_${map}')
${change}
update(fd, bytes(key), bytes(value))`);
    expect(said).toContain('Operation not permitted');
    expect(tampering.refused()).toBe('PermissionError');
    cases.closed('110, 111', `root writes ${what}`);
  });

  test('any map but those the loader goes on writing, whether it has a pin or not', () => {
    const said = tampering.asRoot(`${MAPS}
def takes(fd, command, attributes):
    try: bpf(command, struct.pack('<II' + 'Q' * len(attributes), fd, 0, *attributes))
    except OSError as e: return e.errno != 1
    return True
taken, found = [], maps()
for name, (id, kind, key, value) in found.items():
    fd = bpf(14, struct.pack('<I', id))
    k, v = ctypes.create_string_buffer(key), ctypes.create_string_buffer(value * 1024 + 8)
    if takes(fd, 2, (at(k), at(v), 0)) or takes(fd, 3, (at(k),)): taken.append(name)
print(len(found), ' '.join(sorted(taken)))`);
    const [count, ...taken] = said.split(' ');
    expect(Number(count)).toBeGreaterThan(28);
    expect(taken).toEqual(WRITTEN_LATER);
    cases.closed(110, 'root writes flows, sockets, processes, cgroups, listeners, owners');
  });

  test('what no program of ours writes, by a program of its own', () => {
    const said = tampering.asRoot(`${MAPS}
loaded, found = [], maps()
for name, (id, kind, key, value) in found.items():
    try: writer(bpf(14, struct.pack('<I', id))); loaded.append(name)
    except OSError: pass
print(' '.join(sorted(loaded)))`);
    const refused = ['config', 'policy', 'rules', 'grants', 'locals', 'uplinks', 'resolvers'];
    const more = ['cgroups', 'listeners', 'heartbeat', 'daemons', 'replies', 'egress.rodata'];
    const loaded = said.split(' ');
    expect(loaded).toContain('flows'); // a program may be loaded at all
    expect([...refused, ...more].filter((name) => loaded.includes(name))).toEqual([]);
    cases.closed('110, 111', 'a program of root’s writes mode, policy, rules, grants, prefixes');
  });
});

describe('within two seconds is told', () => {
  /** A grant of everyone's for the refused address, on 443/tcp, as long as the machine runs. */
  const GRANT = `
fd = get('/run/cargowall/bpf/map_grants')
key = struct.pack('<IBBH', 0, 0, 6, 443) + bytes(10) + b'\\xff\\xff' + bytes([198, 51, 100, 20])
update(fd, key, struct.pack('<QII', (1 << 64) - 1, 1, 1))`;

  test('a grant of root’s, each time', async () => {
    for (const times of [1, 2]) {
      expect(tampering.asRoot(GRANT.replace('443', String(442 + times)))).toBe('');
      await tampering.foundAgain('somebody else has written grants', times);
    }
    cases.closed(110, 'root writes a grant, which is told');
  });

  test('a grant of root’s among those of answers', async () => {
    for (const name of ['registry.example.com', 'www.registry.example.com']) {
      tampering.guarded.run('getent', 'ahosts', name);
    }
    expect(tampering.asRoot(GRANT)).toBe('');
    await tampering.foundAgain('somebody else has written grants', 1);
    expect(tampering.findings()).toHaveLength(1);
  });

  test('a local prefix of root’s, which is taken out again', async () => {
    const said = tampering.asRoot(`
fd = get('/run/cargowall/bpf/map_locals')
update(fd, struct.pack('<I', 96) + bytes(10) + b'\\xff\\xff' + bytes(4), struct.pack('<II', 96, 0))`);
    expect(said).toBe('');
    await tampering.foundSoon('somebody else has written a local prefix; it is taken out again');
    expect(tampering.refused()).toBe('PermissionError');
    expect(tampering.findings()).toHaveLength(1);
    cases.closed(110, 'root writes a local prefix, which is told and mended');
  });

  test('a local prefix that becomes an own address, which is put back', async () => {
    const key = `struct.pack('<I', 120) + bytes(10) + b'\\xff\\xff' + bytes([172, 30, 0, 0])`;
    const read = `fd = get('/run/cargowall/bpf/map_locals'); print(lookup(fd, ${key}, 8).hex())`;
    const before = tampering.asRoot(read);
    expect(
      tampering.asRoot(`
fd = get('/run/cargowall/bpf/map_locals')
update(fd, ${key}, struct.pack('<II', 120, 1))`),
    ).toBe('');
    await tampering.foundSoon('somebody else has written a local prefix');
    expect(tampering.asRoot(read)).toBe(before);
  });

  test.each([
    [
      'the kind of an uplink',
      `update(get('/run/cargowall/bpf/map_uplinks'), struct.pack('<I', socket.if_nametoindex('up0')), struct.pack('<I', 1))`,
      `somebody else has written an uplink's kind; it is put right`,
    ],
    [
      'the kind of an uplink while the network changes',
      `update(get('/run/cargowall/bpf/map_uplinks'), struct.pack('<I', socket.if_nametoindex('up0')), struct.pack('<I', 1))
os.system('ip addr add 192.0.2.77/32 dev lo && ip addr del 192.0.2.77/32 dev lo')`,
      `somebody else has written an uplink's kind; it is put right`,
    ],
    [
      'an uplink that is none',
      `update(get('/run/cargowall/bpf/map_uplinks'), struct.pack('<I', 77), struct.pack('<I', 1))`,
      `somebody else has written an uplink's kind; it is put right`,
    ],
    [
      'that the daemon has not been heard of',
      `update(get('/run/cargowall/bpf/map_heartbeat'), bytes(4), struct.pack('<Q', 1))`,
      'somebody else has written when the daemon was last heard of; it is put right',
    ],
    [
      'where the ring of events is read',
      `libc.mmap.restype = ctypes.c_void_p
fd = get('/run/cargowall/bpf/map_events')
page = libc.mmap(None, ctypes.c_size_t(4096), 3, 1, fd, ctypes.c_long(0))
ctypes.c_uint64.from_address(page).value += 8 * 4096`,
      'somebody else has written where the ring of events is read; it is put right',
    ],
    [
      'another process as the daemon',
      `update(get('/run/cargowall/bpf/map_daemons'), bytes(4), struct.pack('<QII', 1, os.getpid(), 0))`,
      'somebody else has written which process the daemon is; it is put right',
    ],
  ])('%s, each time', async (what, write, finding) => {
    for (const times of [1, 2]) {
      expect(tampering.asRoot(write)).toBe('');
      await tampering.foundAgain(finding, times);
    }
    expect(tampering.frame()).toBe('No buffer space available');
    const events = await tampering.guarded.events((all) => all.length > 0);
    expect(events.at(-1)).toMatchObject({ dst_ip: REFUSED, blocked: true });
    expect(tampering.findings()).toHaveLength(2);
    cases.closed(110, `root writes ${what}, which is told and mended`);
  });
});
