// HOST[:PORT[/PROTO]] as `explain` takes it.
import { parseAddress } from '../net/address.ts';
import type { Protocol } from '../net/protocol.ts';
import type { Pair, Subject } from './explain.ts';
import { parsePortItem } from './parse-ports.ts';
import { cutEntry, parseTarget } from './parse-target.ts';
import { Fault } from './problem.ts';

function subjectOf(text: string): Subject {
  const target = parseTarget(text);
  if (target.kind === 'pattern' || (target.kind === 'name' && target.exact)) {
    throw new Fault(0, text, 'one host or address, not a rule');
  }
  if (target.kind === 'name') return { kind: 'host', host: target.name };
  const address = parseAddress(target.text);
  if (address === undefined) throw new Fault(0, text, 'one address, not a CIDR');
  return { kind: 'address', address };
}

/** A subject and its pair; a port without protocol is TCP's. Throws Fault at the wrong part. */
export function parseSubject(text: string): {
  readonly subject: Subject;
  readonly pair: Pair | undefined;
} {
  const { target, portsAt } = cutEntry(text);
  const subject = subjectOf(target);
  if (portsAt === undefined) return { subject, pair: undefined };
  try {
    const item = parsePortItem(text.slice(portsAt));
    const protocol: Protocol = item.protocol === 'both' ? 'tcp' : item.protocol;
    return { subject, pair: { protocol, port: item.port } };
  } catch (error) {
    throw error instanceof Fault ? error.moved(portsAt) : error;
  }
}
