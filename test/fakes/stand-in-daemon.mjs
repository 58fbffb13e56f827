// Speaks the loader's frames with the knowledge taken out: writes what its session lists, flips,
// pins, turns green, and logs every event as one hex line. Tests of the loader need no more.
import { closeSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';

const channel = new Socket({ fd: 3, readable: true, writable: true });
let input = Buffer.alloc(0);
let sequence = 1;
const waiting = new Map();
let hello;

function send(type, payload = Buffer.alloc(0), seq = sequence++) {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(payload.length, 0);
  head.writeUInt16LE(type, 4);
  head.writeUInt32LE(seq, 8);
  channel.write(Buffer.concat([head, payload]));
  return seq;
}

function ask(type, payload) {
  return new Promise((resolve) => waiting.set(send(type, payload), resolve));
}

function log(text) {
  writeSync(hello.audit, `${text}\n`);
}

async function begin() {
  const { session } = hello;
  const apply = await ask(32, Buffer.from(session.writes, 'hex'));
  if (apply.readInt32LE(0) !== 0) {
    send(
      39,
      Buffer.from(JSON.stringify({ error: { code: 'apply', status: apply.readInt32LE(0) } })),
    );
    return;
  }
  if (hello.restarted) {
    log('restarted');
    return;
  }
  const mode = Buffer.alloc(4);
  mode.writeUInt32LE(session.mode);
  await ask(33, mode);
  send(39, Buffer.from('{"stage":"flipped"}'));
  if (session.hold) return;
  const wall = await ask(41);
  const pin = await ask(42);
  const green = {
    stage: 'green',
    pid: process.pid,
    wall: wall.readInt32LE(0),
    pin: pin.readInt32LE(0),
  };
  send(43, Buffer.from(JSON.stringify(green)));
}

function onFrame(type, seq, payload) {
  if (type === 1) {
    hello = JSON.parse(payload.toString());
    void begin();
    return;
  }
  if (type === 3) {
    for (let at = 0; at < payload.length; at += 136)
      log(payload.subarray(at, at + 136).toString('hex'));
    send(34, Buffer.alloc(0), seq);
    return;
  }
  if (type === 6) {
    const reply = Buffer.concat([
      payload.subarray(0, 4),
      Buffer.from(`{"echo":${payload.subarray(12)}}`),
    ]);
    send(37, reply);
    return;
  }
  waiting.get(seq)?.(payload);
  waiting.delete(seq);
}

channel.on('data', (chunk) => {
  input = Buffer.concat([input, chunk]);
  while (input.length >= 12 && input.length >= 12 + input.readUInt32LE(0)) {
    const end = 12 + input.readUInt32LE(0);
    const type = input.readUInt16LE(4);
    const seq = input.readUInt32LE(8);
    const payload = input.subarray(12, end);
    input = input.subarray(end);
    onFrame(type, seq, payload);
  }
});
channel.on('close', () => {
  closeSync(hello?.audit ?? 4);
  process.exit(1);
});
setInterval(() => send(40), 1000);
