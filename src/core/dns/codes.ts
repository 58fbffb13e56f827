// Numbers of the DNS protocol that we name (IANA "Domain Name System (DNS) Parameters").

/** Record types we handle by name. */
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  SVCB: 64,
  HTTPS: 65,
} as const;

/** The only class we answer (RFC 1035 3.2.4). */
export const CLASS_IN = 1;

/** Response codes (RFC 1035 4.1.1, RFC 6891 9 for the last). */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const;

/** Extended DNS error "Blocked" (RFC 8914 4.16). */
export const EDE_BLOCKED = 15;

/** EDNS option code of an extended DNS error (RFC 8914 2). */
export const OPTION_EDE = 15;

/** Bits of the second header word (RFC 1035 4.1.1). */
export const FLAG = {
  RESPONSE: 0x8000,
  OPCODE: 0x7800,
  TRUNCATED: 0x0200,
  RECURSION_DESIRED: 0x0100,
  RECURSION_AVAILABLE: 0x0080,
  CHECKING_DISABLED: 0x0010,
  RCODE: 0x000f,
} as const;

/** Types answered for every name that is answered at all (spec 7, Gate). */
export const TYPES_OF_EVERY_NAME: ReadonlySet<number> = new Set([
  TYPE.A,
  TYPE.AAAA,
  TYPE.CNAME,
  TYPE.HTTPS,
  TYPE.SVCB,
]);

/** Types answered only for names that a rule allows (spec 7, Gate). */
export const TYPES_OF_ALLOWED_NAMES: ReadonlySet<number> = new Set([
  TYPE.SRV,
  TYPE.TXT,
  TYPE.MX,
  TYPE.NS,
  TYPE.SOA,
]);

const TYPE_NAMES = new Map<number, string>(
  Object.entries(TYPE).map(([name, number]) => [number, name]),
);

/** The mnemonic of a record type, or `TYPE<number>` (RFC 3597 5). */
export function typeName(type: number): string {
  return TYPE_NAMES.get(type) ?? `TYPE${type}`;
}
