// The upstream client against real resolvers: its defences against forged answers, its time, its sockets.
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import packet from 'dns-packet';
import { afterEach, describe, expect, test } from 'vitest';
import { encodeQuestion } from '../../../src/core/dns/answer.ts';
import { DnsStream, framed } from '../../../src/edge/host/dns-stream.ts';
import { UpstreamClient } from '../../../src/edge/host/upstream.ts';

const QUESTION = encodeQuestion('ok.example', 1);
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

function boundUdp(): Promise<UdpSocket> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1', () => resolve(socket));
  });
}

/** The machine's UDP sockets that are connected to a port of 127.0.0.1. */
function socketsTo(port: number): number {
  const end = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} `;
  const all = readFileSync('/proc/net/udp', 'utf8').split('\n');
  return all.filter((row) => row.includes(` ${end}`)).length;
}

function listening(): Promise<{ server: Server; port: number }> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve({ server, port: typeof address === 'object' && address ? address.port : 0 });
    });
  });
}

describe('the upstream client', () => {
  interface Heard {
    readonly message: Buffer;
    readonly from: RemoteInfo;
  }
  async function resolver(answer: (heard: Heard, socket: UdpSocket) => void) {
    const socket = await boundUdp();
    const heard: Heard[] = [];
    socket.on('message', (message, from) => {
      heard.push({ message, from });
      answer({ message, from }, socket);
    });
    closers.push(() => socket.close());
    const client = new UpstreamClient();
    closers.push(() => client.close());
    return { client, heard, server: { address: '127.0.0.1', port: socket.address().port } };
  }
  function reply(
    message: Buffer,
    change: (query: packet.Packet) => packet.Packet = (query) => query,
  ) {
    const query = packet.decode(message);
    const answers = [{ type: 'A' as const, name: 'ok.example', data: '192.0.2.1' }];
    return packet.encode(change({ ...query, type: 'response', additionals: [], answers }));
  }

  test('asks under fresh ids and from several ports', async () => {
    const { client, heard, server } = await resolver(({ message, from }, socket) => {
      socket.send(reply(message), from.port);
    });
    for (let i = 0; i < 40; i++) await client.ask(server, QUESTION, 'udp', 2000);
    expect(new Set(heard.map((one) => one.message.readUInt16BE(0))).size).toBeGreaterThan(35);
    expect(new Set(heard.map((one) => one.from.port)).size).toBeGreaterThan(3);
  });

  test('waits past replies with another id, another question, or none', async () => {
    const { client, server } = await resolver(({ message, from }, socket) => {
      const wrongId = reply(message, (query) => ({ ...query, id: ((query.id ?? 0) + 1) & 0xffff }));
      const wrongName = reply(message, (query) => ({
        ...query,
        questions: [{ type: 'A', name: 'no.example', class: 'IN' }],
      }));
      for (const one of [wrongId, wrongName, message, Buffer.from([1, 2, 3])])
        socket.send(one, from.port);
      socket.send(reply(message), from.port);
    });
    const got = packet.decode(Buffer.from(await client.ask(server, QUESTION, 'udp', 2000)));
    expect(got.questions?.[0]?.name).toBe('ok.example');
    expect(got.answers).toMatchObject([{ data: '192.0.2.1' }]);
  });

  test('sends a lost datagram again', async () => {
    let count = 0;
    const { client, server } = await resolver(({ message, from }, socket) => {
      if (++count === 2) socket.send(reply(message), from.port);
    });
    await client.ask(server, QUESTION, 'udp', 3000);
    expect(count).toBe(2);
  });

  test('gives up in time, and says so', async () => {
    const { client, server } = await resolver(() => undefined);
    const asked = client.ask(server, QUESTION, 'udp', 50);
    await expect(asked).rejects.toMatchObject({ code: 'timeout' });
  });

  test('asks over TCP', async () => {
    const { server, port } = await listening();
    server.on('connection', (socket) => {
      const stream = new DnsStream();
      socket.on('data', (bytes: Uint8Array) => {
        for (const message of stream.take(bytes)) socket.write(framed(reply(Buffer.from(message))));
      });
    });
    closers.push(() => server.close());
    const client = new UpstreamClient();
    closers.push(() => client.close());
    const got = await client.ask({ address: '127.0.0.1', port }, QUESTION, 'tcp', 2000);
    expect(packet.decode(Buffer.from(got)).answers).toMatchObject([{ data: '192.0.2.1' }]);
  });

  test('reports a resolver that is not there', async () => {
    const { server, port } = await listening();
    await new Promise((resolve) => server.close(resolve));
    const asked = new UpstreamClient().ask({ address: '127.0.0.1', port }, QUESTION, 'tcp', 2000);
    await expect(asked).rejects.toMatchObject({ code: 'transport' });
  });

  test('holds no socket towards a resolver that is not there', async () => {
    const gone = await boundUdp();
    const { port } = gone.address();
    await new Promise<void>((resolve) => gone.close(resolve));
    const client = new UpstreamClient();
    closers.push(() => client.close());
    for (let i = 0; i < 40; i++) {
      const asked = client.ask({ address: '127.0.0.1', port }, QUESTION, 'udp', 2000);
      await expect(asked).rejects.toMatchObject({ code: 'transport' });
    }
    expect(socketsTo(port)).toBe(0);
  });
});
