// In a guest, a socket that equals root: engine.mjs serve GROUP is its service; engine.mjs hold has a
// connection, waits for its end, and tries anew.
import { chmodSync, chownSync } from 'node:fs';
import { connect, createServer } from 'node:net';

const PATH = '/run/docker.sock';
const [, , part, group] = process.argv;

if (part === 'serve') {
  createServer((socket) => socket.on('error', () => undefined).resume()).listen(PATH, () => {
    chownSync(PATH, 0, Number(group));
    chmodSync(PATH, 0o660);
    console.log('ready');
  });
} else {
  const held = connect(PATH, () => console.log('connected'));
  held
    .on('error', () => undefined)
    .on('close', () => {
      console.log('ended');
      connect(PATH)
        .on('error', ({ code }) => console.log(code))
        .on('connect', () => process.exit(console.log('connected again')));
    });
  held.resume();
}
