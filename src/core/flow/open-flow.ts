// Flows that are open, as the loader lists them.
import { type Address, addressKey, parseAddress } from '../net/address.ts';

/** One open flow and its owner where one was found. */
export interface OpenFlow {
  /** IANA number */
  readonly protocol: number;
  readonly src: Address;
  readonly srcPort: number;
  readonly dst: Address;
  readonly dstPort: number;
  readonly pid: number;
  readonly uid: number;
  readonly comm: string;
  /** enum scope */
  readonly scope: number;
  /** enum origin */
  readonly origin: number;
  /** Inode number of its network namespace. */
  readonly netns: number;
  /** Of another network namespace than the machine's. */
  readonly isOtherNetns: boolean;
  /** Its source where it leaves the machine, when NAT changes it. */
  readonly translated: { readonly src: Address; readonly srcPort: number } | undefined;
  /** Length over 16 bytes of the local prefix that holds the destination. */
  readonly localLength: number | undefined;
}

/** The same for the same namespace, protocol and endpoints. */
export function openFlowKey(flow: OpenFlow): string {
  const { netns, protocol, src, srcPort, dst, dstPort } = flow;
  return `${netns} ${protocol} ${addressKey(src)} ${srcPort} ${addressKey(dst)} ${dstPort}`;
}

/** The loader's list; entries that can't be flows are left out and counted. */
export function parseOpenFlows(value: unknown): {
  readonly flows: readonly OpenFlow[];
  readonly undecodable: number;
} {
  const entries: readonly unknown[] = Array.isArray(value) ? value : [];
  const flows = entries.flatMap((entry) => parseOpenFlow(entry) ?? []);
  return { flows, undecodable: entries.length - flows.length };
}

function parseOpenFlow(entry: unknown): OpenFlow | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(entry));
  const number = (name: string) => {
    const value = fields.get(name);
    return typeof value === 'number' ? value : 0;
  };
  const src = parseAddress(String(fields.get('src')));
  const dst = parseAddress(String(fields.get('dst')));
  if (src === undefined || dst === undefined || number('proto') === 0) return undefined;
  const out = parseAddress(String(fields.get('out')));
  const comm = fields.get('comm');
  return {
    protocol: number('proto'),
    src,
    srcPort: number('sport'),
    dst,
    dstPort: number('dport'),
    pid: number('pid'),
    uid: number('uid'),
    comm: typeof comm === 'string' ? comm : '',
    scope: number('scope'),
    origin: number('origin'),
    netns: number('netns'),
    isOtherNetns: fields.get('other') === true,
    translated: out && { src: out, srcPort: number('oport') },
    localLength: number('local') < 0 ? undefined : number('local'),
  };
}
