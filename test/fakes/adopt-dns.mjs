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
await adoptDnsUdp({ fd: 9, address, runner: true, handle, again: () => undefined, onError });
await adoptDnsTcp({ fd: 10, address, runner: false, handle, again: () => undefined, onError });
process.stdout.write('ready\n');
