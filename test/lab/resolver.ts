// The lab's resolver: answers from a table over UDP and TCP, and prints every question it hears.
// Run inside the lab's internet: node resolver.ts TABLE.json ADDRESS...
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import packet from 'dns-packet';

const [tablePath = '', ...addresses] = process.argv.slice(2);
const table = JSON.parse(readFileSync(tablePath, 'utf8')) as Record<string, packet.Answer[]>;

function answer(message: Buffer, proto: string, from: string): Buffer {
  const asked = packet.decode(message);
  const [question] = asked.questions ?? [];
  const name = question?.name.toLowerCase() ?? '';
  process.stdout.write(`asked ${name} ${question?.type} ${proto} ${from}\n`);
  const known = Object.keys(table).some((key) => key.startsWith(`${name} `));
  return packet.encode({
    type: 'response',
    id: asked.id ?? 0,
    flags: packet.RECURSION_DESIRED | packet.RECURSION_AVAILABLE | (known ? 0 : 3),
    questions: asked.questions ?? [],
    answers: table[`${name} ${question?.type}`] ?? [],
  });
}

for (const address of addresses) {
  const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  udp.on('message', (message, from) => {
    udp.send(answer(message, 'udp', from.address), from.port, from.address);
  });
  const tcp = createServer((client) => {
    let seen = Buffer.alloc(0);
    client.on('error', () => client.destroy());
    client.on('data', (bytes) => {
      seen = Buffer.concat([seen, bytes]);
      while (seen.length >= 2 && seen.length >= 2 + seen.readUInt16BE()) {
        const end = 2 + seen.readUInt16BE();
        const reply = answer(seen.subarray(2, end), 'tcp', client.remoteAddress ?? '');
        seen = seen.subarray(end);
        const head = Buffer.alloc(2);
        head.writeUInt16BE(reply.length);
        client.write(Buffer.concat([head, reply]));
      }
    });
  });
  await new Promise<void>((resolve) => udp.bind(53, address, resolve));
  await new Promise<void>((resolve) => tcp.listen(53, address, resolve));
}
process.stdout.write('ready\n');
