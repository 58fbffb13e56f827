// Speaks the loader's frames with the knowledge taken out: writes what its session lists, flips,
// pins, turns green, and logs every event as one hex line. Tests of the loader need no more.

import { createSocket } from 'node:dgram';
import { closeSync, writeSync } from 'node:fs';
import { createServer, Socket } from 'node:net';

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

/** Programs the flows open at start, as listed by the loader, into `existing`. */
async function admitOpenFlows() {
  const flows = JSON.parse((await ask(36)).toString());
  const writes = flows.map((flow) => {
    const write = Buffer.alloc(8 + 40 + 32);
    write[0] = 1;
    write[1] = 5;
    write.writeUInt16LE(40, 2);
    write.writeUInt16LE(32, 4);
    addressBytes(flow.src).copy(write, 8);
    addressBytes(flow.dst).copy(write, 24);
    write.writeUInt16LE(flow.sport, 40);
    write.writeUInt16LE(flow.dport, 42);
    write[44] = flow.proto;
    write[48 + 20] = 1;
    write[48 + 21] = 14;
    write.writeUInt16LE(flow.scope, 48 + 22);
    return write;
  });
  if (writes.length === 0) return;
  const status = (await ask(32, Buffer.concat(writes))).readInt32LE(0);
  if (status !== 0) throw new Error(`the open flows were not taken: ${status}`);
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
  await admitOpenFlows();
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

/** 16 bytes of a dotted or `::ffff:` address, or of ::1. */
function addressBytes(text) {
  const bytes = Buffer.alloc(16);
  const dotted = text.replace('::ffff:', '');
  if (!dotted.includes('.')) {
    bytes[15] = 1;
    return bytes;
  }
  bytes.writeUInt16BE(0xffff, 10);
  dotted.split('.').forEach((part, index) => {
    bytes[12 + index] = Number(part);
  });
  return bytes;
}

/** Refuses a question of a known client, logs who asked what server; drops any other. */
function refuse(query, owner, proto) {
  if (owner === undefined) {
    log('stranger');
    return undefined;
  }
  const asked = owner.subarray(32, 48).toString('hex');
  const comm = owner.subarray(64, 80).toString('latin1').split('\0')[0];
  log(`asker ${comm} ${owner.readUInt32LE(48) > 1} ${asked} ${owner.readUInt16LE(56)} ${proto}`);
  const answer = Buffer.from(query);
  answer[2] |= 0x80;
  answer[3] = (answer[3] & 0xf0) | 5;
  return answer;
}

async function ownerOf(address, port, proto) {
  const key = Buffer.alloc(20);
  addressBytes(address).copy(key);
  key.writeUInt16LE(port, 16);
  key[18] = proto;
  const reply = await ask(35, key);
  return reply.readInt32LE(0) === 0 ? reply.subarray(4) : undefined;
}

/** A question over UDP: the loader knows who asks. */
function serveUdp(fd, address) {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', async (query, from) => {
    const owner = await ownerOf(from.address, from.port, 17);
    const answer = refuse(query, owner, 17);
    if (answer) socket.send(answer, from.port, from.address);
  });
  socket.bind({ fd });
}

function serveTcp(fd) {
  createServer((client) => {
    client.on('error', () => client.destroy());
    client.once('data', async (query) => {
      const owner = await ownerOf(client.remoteAddress, client.remotePort, 6);
      const answer = refuse(query.subarray(2), owner, 6);
      if (answer) client.end(Buffer.concat([query.subarray(0, 2), answer]));
    });
  }).listen({ fd });
}

function serve() {
  for (const { fd, proto, address } of hello.sockets) {
    if (proto === 'tcp') serveTcp(fd);
    else serveUdp(fd, address);
  }
}

/** Echoes a request; one that carries map writes is answered once they are applied. */
async function control(client, text) {
  const { apply, hang } = JSON.parse(text);
  if (hang) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); // for good
  if (apply !== undefined) await ask(32, Buffer.from(apply, 'hex'));
  send(37, Buffer.concat([client, Buffer.from(`{"echo":${text}}`)]));
}

function onFrame(type, seq, payload) {
  if (type === 1) {
    hello = JSON.parse(payload.toString());
    serve();
    void begin();
    return;
  }
  if (type === 3) {
    for (let at = 0; at < payload.length; at += 152)
      log(payload.subarray(at, at + 152).toString('hex'));
    send(34, Buffer.alloc(0), seq);
    return;
  }
  if (type === 8) {
    log(`notice ${payload}`);
    return;
  }
  if (type === 6) {
    void control(payload.subarray(0, 4), payload.subarray(12).toString());
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
