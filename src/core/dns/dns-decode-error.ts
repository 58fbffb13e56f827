/** What was wrong with a DNS message. */
export type DnsDecodeCode = 'short' | 'name' | 'question' | 'record' | 'opt' | 'trailing';

/** The only error a DNS decoder throws; fails closed: the message is not used at all. */
export class DnsDecodeError extends Error {
  readonly code: DnsDecodeCode;

  constructor(code: DnsDecodeCode, message: string) {
    super(message);
    this.name = 'DnsDecodeError';
    this.code = code;
  }
}
