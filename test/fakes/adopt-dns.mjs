// Adopts the TCP listener at descriptor 10, as the daemon adopts the
// loader's, and answers every message with what it heard and from whom; "silence" with nothing.
import { parseAddress, printAddress } from '../../src/core/net/address.ts';
import { adoptDnsTcp } from '../../src/edge/host/dns-tcp.ts';

const local = parseAddress('127.0.0.1');
const onError = (error) => {
  throw error;
};
async function handle(message, from) {
  const text = new TextDecoder().decode(message);
  if (text === 'silence') return undefined;
  const who = `${printAddress(from.address)} ${from.port} ${from.proto} ${printAddress(from.local)}`;
  return new TextEncoder().encode(`${text} from ${who}`);
}

await adoptDnsTcp({ fd: 10, local, handle, onError });
process.stdout.write('ready\n');
