// An uplink whose packets have no header below IP, as VPNs have, that stands when the wall is put up.
import { afterEach, expect, test } from 'vitest';
import { Guarded } from '../lab/guarded.ts';
import { line } from '../lab/lab.ts';

const guarded = new Guarded('plain');
afterEach(() => guarded.close());

const VPN = `
import fcntl, os, struct, subprocess, time
f = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(f, 0x400454ca, struct.pack('16sH22x', b'vpn0', 0x1001))
for words in ['addr add 10.78.0.1/24 dev vpn0', 'addr add 2001:db8:78::1/64 dev vpn0', 'link set vpn0 up']:
    subprocess.run(['ip', *words.split()], check=True)
print('ready', flush=True)
time.sleep(600)
`;

test('a machine with a VPN is guarded, and the proof covers its uplink', async () => {
  await guarded.open();
  await line(guarded.lab.spawn(['/usr/bin/python3', '-u', '-c', VPN]), 'ready');
  const said = await guarded.guard({});
  expect(said.join('\n')).toMatch(/vpn0 by (?:TCX|clsact)/u);
}, 60_000);
