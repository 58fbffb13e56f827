// A question asked again within a second is answered by the kernel: with the proxy's bytes, to whom the
// proxy would give them, and never past the name that was answered last.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BPF } from '../lab/bpf.ts';
import { Guarded } from '../lab/guarded.ts';
import { line, until } from '../lab/lab.ts';

const guarded = new Guarded('again');
const ALLOWED = 'registry.example.com';
/** Two names of one address. */
const [ONE, OTHER, SHARED] = ['github.com', 'api.github.com', '198.51.100.30'];
const RUNNERS_OWN = 'results-receiver.actions.githubusercontent.com';
const LOG = '/run/cargowall/records/audit.jsonl';

/** `ask(name, id)` of one socket; the reply, and where it came from. */
const ASK = `
import socket, struct
def question(name, id, more=b''):
    labels = b''.join(bytes([len(label)]) + label.encode() for label in name.split('.'))
    return struct.pack('>6H', id, 256, 1, 0, 0, len(more) and 1) + labels + b'\\0\\0\\1\\0\\1' + more
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5)
def ask(name, id, more=b''):
    s.sendto(question(name, id, more), ('192.0.2.53', 53))
    return s.recvfrom(2048)
`;
const EDNS = `b'\\0\\0\\x29\\x04\\xd0\\0\\0\\0\\0\\0\\0'`;

beforeAll(async () => {
  await guarded.open();
  await guarded.guard({ allow: `${ALLOWED}:443, ${ONE}:443, ${OTHER}:443` });
});
afterAll(() => guarded.close());

function job(script: string): string {
  const { stdout, stderr, code } = guarded.run('/usr/bin/python3', '-c', `${ASK}${script}`);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return stdout.trim();
}

/** Totals of a checkpoint. */
function totals(): { readonly dns_questions: number; readonly dns_answered_in_kernel: number } {
  const seal = `
import socket
s = socket.socket(socket.AF_UNIX); s.connect('/run/cargowall/control.sock')
s.sendall(b'{"command":"seal"}\\n'); s.recv(65536)`;
  guarded.run('/usr/bin/python3', '-c', seal);
  const sealed = guarded.run('grep', '"session_ended"', LOG).stdout.trim().split('\n').at(-1);
  return JSON.parse(sealed ?? '').totals;
}

describe.each([
  ['without EDNS', `b''`],
  ['with EDNS', EDNS],
])('%s', (_, more) => {
  test('the same question again within its second has the same reply, from the kernel', () => {
    const before = totals();
    job(`
for id in range(300):
    reply, who = ask('${ALLOWED}', id, ${more})
    assert reply[:2] == struct.pack('>H', id), (reply, id)
    assert who == ('192.0.2.53', 53), who
    # the time in it goes down
    assert len(reply) == len(first) if id else (first := reply), reply
    assert bytes([198, 51, 100, 10]) in reply, reply`);
    const after = totals();
    expect(after.dns_questions - before.dns_questions).toBe(300);
    const inKernel = after.dns_answered_in_kernel - before.dns_answered_in_kernel;
    // the daemon gives the first two of each second, and what comes while the third is on its way
    expect(inKernel).toBeGreaterThan(0);
    expect(inKernel).toBeLessThanOrEqual(300 - 2);
  });
});

test('a reply with another case, another type or another flag is not the one', () => {
  const said = job(`
for id in range(20): ask('${ALLOWED}', id)
mixed = ask('Registry.Example.COM', 1)[0]
assert b'Registry' in mixed and bytes([198, 51, 100, 10]) in mixed, mixed
s.sendto(question('${ALLOWED}', 2)[:-3] + b'\\x1c\\0\\1', ('192.0.2.53', 53))
v6 = s.recv(2048)
assert bytes([198, 51, 100, 10]) not in v6 and socket.inet_pton(socket.AF_INET6, '2001:db8:1::10') in v6, v6
print('ok')`);
  expect(said).toBe('ok');
});

test("what the runner's processes are answered, nobody else is", async () => {
  const { worker } = guarded;
  if (worker === undefined) throw new Error('there is no worker');
  const asked = `${ASK}
replies = {ask('${RUNNERS_OWN}', id)[0][3] & 15 for id in range(50)}
print(replies, flush=True)
`;
  worker.stdin?.write(`exec(${JSON.stringify(asked)})\n`);
  await line(worker, '{');
  expect(job(`print({ask('${RUNNERS_OWN}', id)[0][3] & 15 for id in range(50)})`)).toBe('{5}');
});

test('the name that was answered last is the one a record has, whoever answered it', async () => {
  const connectAfter = (asks: string) =>
    job(`
${asks}
c = socket.socket(); c.settimeout(2)
try: c.connect(('${SHARED}', 8443))
except PermissionError: raise SystemExit
raise SystemExit('it was not refused')`);
  const names = async (count: number) => {
    const events = await guarded.events((all) => all.filter(isShared).length >= count);
    return events.filter(isShared).map(({ dst_hostname: name }) => name);
  };
  connectAfter(`
for id in range(10): ask('${ONE}', id)
for id in range(10): ask('${OTHER}', id)`);
  // a record is given its name when it is made: it must be there before the next question
  expect(await names(1)).toEqual([OTHER]);
  connectAfter(`
for id in range(10): ask('${OTHER}', id)
for id in range(10): ask('${ONE}', id)`);
  expect(await names(2)).toEqual([OTHER, ONE]);
});

function isShared({ dst_ip: address, dst_port: port }: { dst_ip?: string; dst_port?: number }) {
  return address === SHARED && port === 8443;
}

test('without the program the proxy gives each reply, and it is put back and told', async () => {
  const detach = `${BPF}detach('/run/cargowall/bpf/link_egress_again')`;
  expect(guarded.run('/usr/bin/python3', '-c', detach)).toMatchObject({ code: 0 });
  expect(job(`print({ask('${ALLOWED}', id)[0][3] & 15 for id in range(50)})`)).toBe('{0}');
  const told = () => guarded.run('grep', '"tamper"', LOG).stdout;
  await until(
    () => told().includes('egress_again was not attached any more; it is attached again'),
    'it',
  );
  const before = totals();
  job(`for id in range(300): ask('${ALLOWED}', id)`);
  expect(totals().dns_answered_in_kernel).toBeGreaterThan(before.dns_answered_in_kernel);
});
