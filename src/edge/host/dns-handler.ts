// What both transports of the proxy hand on.

/** Where a message came from. */
export interface DnsArrival {
  /** Text, without a zone. */
  readonly address: string;
  readonly port: number;
  readonly proto: 'udp' | 'tcp';
  /** Over UDP: whether a runner process asks, as the socket says. */
  readonly isRunner?: boolean;
}

/** Answers a message; undefined is silence. Must not reject. */
export type DnsHandler = (
  message: Uint8Array,
  client: DnsArrival,
) => Promise<Uint8Array | undefined>;

/** A socket bound by the loader and inherited by descriptor. */
export interface DnsSocketOptions {
  readonly fd: number;
  /** The address it is bound to, text. */
  readonly address: string;
  /** Over UDP: whether only runner processes' questions reach it. */
  readonly runner: boolean;
  readonly handle: DnsHandler;
  /** Over UDP, asked first: a reply that is at hand already. */
  readonly again: (message: Uint8Array, isRunner: boolean) => Uint8Array | undefined;
  /** Over TCP: room for a connection, as what gives it back; undefined: none. */
  readonly admit: (client: DnsArrival) => Promise<(() => void) | undefined>;
  /** Over TCP: a connection was ended before anybody could ask whose it is. */
  readonly onDrop: () => void;
  readonly onError: (error: Error) => void;
}

/** An adopted socket. */
export interface DnsSocket {
  close(): void;
}

/** An IPv6 address as node prints it may carry its interface. */
export function withoutZone(text: string): string {
  const at = text.indexOf('%');
  return at < 0 ? text : text.slice(0, at);
}
