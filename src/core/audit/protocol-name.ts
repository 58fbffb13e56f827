// How records spell protocols (spec 8).

const NAMES = new Map<number, string>([
  [1, 'ICMP'],
  [2, 'IGMP'],
  [6, 'TCP'],
  [17, 'UDP'],
  [41, 'IPv6-in-IPv4'],
  [47, 'GRE'],
  [50, 'ESP'],
  [51, 'AH'],
  [58, 'ICMPv6'],
  [89, 'OSPF'],
  [103, 'PIM'],
  [132, 'SCTP'],
]);

/** The name of an IANA protocol number, else `Protocol-<number>`. */
export function protocolName(number: number): string {
  return NAMES.get(number) ?? `Protocol-${number}`;
}
