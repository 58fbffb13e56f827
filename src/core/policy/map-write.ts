/** One change to a map of the kernel, in the layout of bpf/abi.h. */
export interface MapWrite {
  /** enum writable_map */
  readonly map: number;
  readonly op: 'update' | 'delete';
  readonly key: Uint8Array;
  /** Empty for a delete. */
  readonly value: Uint8Array;
}
