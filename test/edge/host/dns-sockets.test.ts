// The DNS sockets against real clients: adopted descriptors, framing, limits.
import { spawn } from 'node:child_process';
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { DnsStream, framed } from '../../../src/edge/host/dns-stream.ts';
import { adoptDnsTcp } from '../../../src/edge/host/dns-tcp.ts';
import { adoptDnsUdp } from '../../../src/edge/host/dns-udp.ts';

const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

function fail(error: Error): void {
  throw error;
}

function boundUdp(): Promise<UdpSocket> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1', () => resolve(socket));
  });
}

describe('DnsStream', () => {
  test('a message of 64 KiB that comes byte by byte is moved once', () => {
    const stream = new DnsStream();
    const message = new Uint8Array(65_535).fill(7);
    const startMs = process.cpuUsage().user;
    const cut = [...framed(message)].flatMap((byte) => stream.take(Uint8Array.of(byte)));
    const usedMs = (process.cpuUsage().user - startMs) / 1000;
    expect(cut).toEqual([message]);
    // Moving all that is held for every byte is 2 GiB.
    expect(usedMs).toBeLessThan(1000);
  });

  test.each([1, 2, 3, 7, 1000])(
    'cuts messages whatever the segments, %i bytes at a time',
    (size) => {
      const messages = [
        Uint8Array.of(1),
        new Uint8Array(0),
        Uint8Array.of(2, 3, 4),
        new Uint8Array(300),
      ];
      const bytes = Uint8Array.from(messages.flatMap((message) => [...framed(message)]));
      const stream = new DnsStream();
      const cut: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += size)
        cut.push(...stream.take(bytes.subarray(at, at + size)));
      expect(cut).toEqual(messages);
    },
  );
});

const ADOPT = `
import os, socket, sys
def give(kind, fd):
    s = socket.socket(socket.AF_INET, kind); s.bind(('127.0.0.1', 0))
    if kind == socket.SOCK_STREAM: s.listen(16)
    os.dup2(s.fileno(), fd, inheritable=True)
    return s.getsockname()[1]
print(give(socket.SOCK_DGRAM, 9), give(socket.SOCK_STREAM, 10), flush=True)
os.execv(sys.argv[1], [sys.argv[1], sys.argv[2]])
`;

/** A process that adopted a UDP and a TCP socket by descriptor; resolves when it serves them. */
function adopter(): Promise<{ udp: number; tcp: number }> {
  const script = new URL('../../fakes/adopt-dns.mjs', import.meta.url).pathname;
  const child = spawn('/usr/bin/python3', ['-c', ADOPT, process.execPath, script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  closers.push(() => child.kill('SIGKILL'));
  return new Promise((resolve, reject) => {
    let output = '';
    child.once('exit', (code) => reject(new Error(`the adopter ended with ${code}`)));
    child.stdout.on('data', (part: Buffer) => {
      output += part.toString();
      const [ports = '', ready] = output.split('\n');
      const [udp = 0, tcp = 0] = ports.split(' ').map(Number);
      if (ready === 'ready') resolve({ udp, tcp });
    });
  });
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

describe('sockets by descriptor', () => {
  test('UDP answers from the address that was asked and names its client', async () => {
    const { udp } = await adopter();
    const client = await boundUdp();
    closers.push(() => client.close());
    const reply = new Promise<{ message: Buffer; from: RemoteInfo }>((resolve) => {
      client.once('message', (message, from) => resolve({ message, from }));
    });
    client.send('silence', udp, '127.0.0.1');
    client.send('ping', udp, '127.0.0.1');
    const { message, from } = await reply;
    expect(text(message)).toBe(`ping from 127.0.0.1 ${client.address().port} udp true`);
    expect(from).toMatchObject({ address: '127.0.0.1', port: udp });
  });

  test('TCP answers several messages of one segment and one over many', async () => {
    const { tcp } = await adopter();
    const client = connect({ port: tcp, host: '127.0.0.1', noDelay: true });
    closers.push(() => client.destroy());
    const stream = new DnsStream();
    const replies: string[] = [];
    const all = new Promise<void>((resolve) => {
      client.on('data', (bytes: Uint8Array) => {
        replies.push(...stream.take(bytes).map(text));
        if (replies.length === 3) resolve();
      });
    });
    const framedText = (one: string) => framed(Buffer.from(one));
    client.write(Buffer.concat([framedText('one'), framedText('two')]));
    for (const byte of framedText('three')) client.write(Uint8Array.of(byte));
    await all;
    const from = `from 127.0.0.1 ${client.localPort} tcp undefined`;
    expect(replies).toEqual([`one ${from}`, `two ${from}`, `three ${from}`]);
  });

  test('TCP answers a client that has said all it will, then closes', async () => {
    const { tcp, udp } = await adopter();
    const client = connect({ port: tcp, host: '127.0.0.1', allowHalfOpen: true });
    const bytes: Buffer[] = [];
    client.on('data', (part: Buffer) => bytes.push(part));
    const closed = new Promise((resolve) => client.once('end', resolve));
    await new Promise((resolve) =>
      client.end(framed(Buffer.from('late')), () => resolve(undefined)),
    );
    const other = await boundUdp();
    closers.push(() => other.close());
    const said = async (word: string) => {
      const reply = new Promise((resolve) => other.once('message', resolve));
      other.send(word, udp, '127.0.0.1');
      await reply;
    };
    // Two rounds: by then the server has seen that nothing more will come.
    for (const word of ['one', 'two', 'now']) await said(word);
    await closed;
    expect(text(Buffer.concat(bytes).subarray(2))).toContain('late from');
  });

  test('TCP closes on a client it has nothing to say to, and serves the next', async () => {
    const { tcp } = await adopter();
    const silent = connect(tcp, '127.0.0.1');
    silent.write(framed(Buffer.from('silence')));
    await new Promise((resolve) => silent.once('close', resolve));
    const next = connect(tcp, '127.0.0.1');
    closers.push(() => next.destroy());
    next.write(framed(Buffer.from('ping')));
    const reply = await new Promise<Buffer>((resolve) => next.once('data', resolve));
    expect(text(reply.subarray(2))).toContain('ping from');
  });

  test('TCP ends a connection there is no room for, and has room once another has left', async () => {
    const { tcp } = await adopter();
    const echo = async (socket: Socket, word: string) => {
      const reply = new Promise<Buffer>((resolve) => socket.once('data', resolve));
      socket.write(framed(Buffer.from(word)));
      return text((await reply).subarray(2));
    };
    const open = () => {
      const socket = connect(tcp, '127.0.0.1');
      closers.push(() => socket.destroy());
      return socket;
    };
    const [first, second] = [open(), open()];
    expect(await echo(first, 'one')).toContain('one from');
    expect(await echo(second, 'two')).toContain('two from');
    const third = open();
    await new Promise((resolve) => third.once('close', resolve));
    expect(await echo(second, 'still')).toContain('still from');
    const left = new Promise((resolve) => first.once('close', resolve));
    first.end();
    await left;
    expect(await echo(open(), 'next')).toContain('next from');
  });

  test('what is no socket is rejected', async () => {
    const handle = () => Promise.resolve(undefined);
    const again = () => undefined;
    const admit = () => Promise.resolve(undefined);
    const wrong = {
      ...{ fd: 0x7ffffff, address: '127.0.0.1', runner: false },
      ...{ handle, again, admit, onDrop: admit, onError: fail },
    };
    await expect(adoptDnsUdp(wrong)).rejects.toThrow();
    await expect(adoptDnsTcp(wrong)).rejects.toThrow();
  });
});
