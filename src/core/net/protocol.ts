/** A protocol that rules speak of; `icmp` is ICMP for IPv4 and ICMPv6 for IPv6. */
export type Protocol = 'tcp' | 'udp' | 'icmp';

/** IANA protocol numbers; `icmpv6` is what `icmp` means for IPv6. */
export const PROTOCOL_NUMBERS = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const;

/** The protocol of an IANA number, ICMPv6 as `icmp`; undefined for all that no rule can allow. */
export function protocolOf(number: number): Protocol | undefined {
  if (number === PROTOCOL_NUMBERS.tcp) return 'tcp';
  if (number === PROTOCOL_NUMBERS.udp) return 'udp';
  if (number === PROTOCOL_NUMBERS.icmp || number === PROTOCOL_NUMBERS.icmpv6) return 'icmp';
  return undefined;
}
