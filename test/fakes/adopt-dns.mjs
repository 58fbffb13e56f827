// Adopts the UDP socket at descriptor 9 and the TCP listener at descriptor 10, as the daemon adopts
// the loader's, and answers every message with what it heard and from whom; "silence" with nothing,
// "late" once somebody has said "now".
import { adoptDnsTcp } from '../../src/edge/host/dns-tcp.ts';
import { adoptDnsUdp } from '../../src/edge/host/dns-udp.ts';

const onError = (error) => {
  throw error;
};
const now = Promise.withResolvers();
async function handle(message, from) {
  const text = new TextDecoder().decode(message);
  if (text === 'silence') return undefined;
  if (text === 'now') now.resolve();
  if (text === 'late') await now.promise;
  const who = `${from.address} ${from.port} ${from.proto} ${from.isRunner}`;
  return new TextEncoder().encode(`${text} from ${who}`);
}

const address = '127.0.0.1';
// Room for two connections at once.
let held = 0;
async function admit() {
  if (held === 2) return undefined;
  held++;
  return () => {
    held--;
  };
}
const rest = { address, handle, again: () => undefined, admit, onDrop: onError, onError };
await adoptDnsUdp({ fd: 9, runner: true, ...rest });
await adoptDnsTcp({ fd: 10, runner: false, ...rest });
process.stdout.write('ready\n');
