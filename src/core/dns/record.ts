import type { Address } from '../net/address.ts';

/** The content of a record, as far as we use it; `raw` has its names uncompressed. */
export type RecordData =
  | { readonly kind: 'address'; readonly address: Address }
  | { readonly kind: 'alias'; readonly target: string }
  | { readonly kind: 'raw'; readonly rdata: Uint8Array }
  | { readonly kind: 'other' };

/** One resource record; `ttl` in seconds, 0 when its top bit was set (RFC 2181 8). */
export interface ResourceRecord {
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly data: RecordData;
}
