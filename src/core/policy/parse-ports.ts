// ports = port [ "/" proto ] *( ";" port [ "/" proto ] )
import type { PortItem } from '../net/pair-set.ts';
import { Fault } from './problem.ts';

const PORT_EXPECTED = 'a port from 1 to 65535 without sign or leading zero';

/** A port number from text; throws Fault at 0. */
export function parsePort(text: string): number {
  if (text === '') throw new Fault(0, '', PORT_EXPECTED);
  if (/^\d+-\d+$/u.test(text)) {
    throw new Fault(0, text, 'single ports: ranges are not known, list each port');
  }
  if (!/^[1-9]\d{0,4}$/u.test(text) || Number(text) > 65_535) {
    const service = /^[a-z][a-z0-9-]*$/iu.test(text) ? '; service names are not known' : '';
    throw new Fault(0, text, PORT_EXPECTED + service);
  }
  return Number(text);
}

/** One item, `443` or `443/tcp`; throws Fault at the wrong part. */
export function parsePortItem(text: string): PortItem {
  const slash = text.indexOf('/');
  const port = parsePort(slash < 0 ? text : text.slice(0, slash));
  if (slash < 0) return { port, protocol: 'both' };
  const protocol = text.slice(slash + 1);
  const known = protocol.toLowerCase();
  if (known === 'tcp' || known === 'udp') return { port, protocol: known };
  const hint = known === 'icmp' ? '; ICMP is { protocol: icmp } in the policy file' : '';
  throw new Fault(slash + 1, protocol, `tcp or udp${hint}`);
}

/** Items separated by `;`; throws Fault at the wrong part. */
export function parsePortItems(text: string): readonly PortItem[] {
  let at = 0;
  return text.split(';').map((item) => {
    const start = at;
    at += item.length + 1;
    try {
      return parsePortItem(item);
    } catch (error) {
      throw error instanceof Fault ? error.moved(start) : error;
    }
  });
}
