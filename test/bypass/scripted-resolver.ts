// A resolver of the lab's internet that says what a test scripts: node scripted-resolver.ts ADDRESS.
// A line of JSON on stdin sets answers or makes it deaf; every question is a line on stdout.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import packet from 'dns-packet';

/** What a line of stdin says. */
export interface Script {
  /** `name TYPE`, and the sections of its answer. */
  readonly key?: string;
  readonly reply?: {
    readonly answers?: readonly packet.Answer[];
    readonly authorities?: readonly packet.Answer[];
    readonly additionals?: readonly packet.Answer[];
  };
  /** Data of a service record, hex: the library has no words for its parameters. */
  readonly service?: string;
  readonly isDeaf?: boolean;
}

const address = process.argv[2] ?? '';
const scripts = new Map<string, Script>();
let isDeaf = false;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function sections({ reply, service, key = '' }: Script) {
  const [name = '', type = ''] = key.split(' ');
  const raw = { name, type, ttl: 60, data: Buffer.from(service ?? '', 'hex') } as packet.Answer;
  return {
    answers: service === undefined ? [...(reply?.answers ?? [])] : [raw],
    authorities: [...(reply?.authorities ?? [])],
    additionals: [...(reply?.additionals ?? [])],
  };
}

function answer(message: Buffer): Buffer | undefined {
  const asked = packet.decode(message);
  const [question] = asked.questions ?? [];
  const key = `${question?.name.toLowerCase()} ${question?.type}`;
  say(`asked ${key}`);
  if (isDeaf) return undefined;
  const script = scripts.get(key);
  const known = [...scripts.keys()].some((one) => one.split(' ')[0] === key.split(' ')[0]);
  return packet.encode({
    type: 'response',
    id: asked.id ?? 0,
    flags: packet.RECURSION_DESIRED | packet.RECURSION_AVAILABLE | (known ? 0 : 3),
    questions: asked.questions ?? [],
    ...(script === undefined ? {} : sections(script)),
  });
}

const udp = createSocket('udp4');
udp.on('message', (message, from) => {
  const reply = answer(message);
  if (reply !== undefined) udp.send(reply, from.port, from.address);
});
const tcp = createServer((client) => {
  client.on('error', () => client.destroy());
  client.once('data', (bytes) => {
    const reply = answer(bytes.subarray(2));
    if (reply === undefined) return;
    const head = Buffer.alloc(2);
    head.writeUInt16BE(reply.length);
    client.end(Buffer.concat([head, reply]));
  });
});
createInterface({ input: process.stdin }).on('line', (line) => {
  const script = JSON.parse(line) as Script;
  if (script.key !== undefined) scripts.set(script.key, script);
  if (script.isDeaf !== undefined) isDeaf = script.isDeaf;
  say(`scripted ${script.key ?? ''}`);
});
await new Promise<void>((done) => udp.bind(53, address, done));
await new Promise<void>((done) => tcp.listen(53, address, done));
say('ready');
