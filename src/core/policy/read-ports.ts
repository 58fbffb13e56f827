// `ports` of a rule in a policy file.
import type { PortItem } from '../net/pair-set.ts';
import type { DocumentNode, MapEntry } from './document.ts';
import type { DocumentReader } from './document-reader.ts';
import { parsePort, parsePortItem } from './parse-ports.ts';

/** What the two shapes of files say differently. */
export interface PortsShape {
  /** The word for TCP and UDP, where there is one. */
  readonly both?: string;
  /** What to do with an empty list; it is every port where this returns. */
  readonly onEmpty: (node: DocumentNode) => void;
}

const PORT_EXPECTED = 'a port, "443/tcp", { port: 443, protocol: tcp } or { protocol: icmp }';

function readPortMap(
  reader: DocumentReader,
  node: DocumentNode,
  shape: PortsShape,
): PortItem | undefined {
  const keys = reader.map(node, ['port', 'protocol']);
  if (keys === undefined) return undefined;
  const protocol = readProtocol(reader, keys.get('protocol'), shape);
  const port = keys.get('port')?.value;
  if (protocol === 'icmp') {
    const isZero = shape.both !== undefined && port?.kind === 'scalar' && port.value === 0;
    if (port === undefined || isZero) return { port: 0, protocol };
    return reader.wrong(port, 'no port: ICMP has none');
  }
  if (port === undefined) {
    reader.fail(node.end, '', 'a port');
    return undefined;
  }
  if (port.kind !== 'scalar') return reader.wrong(port, 'a port');
  const read = reader.text(port, (text) => ({ port: parsePort(text), notes: [] }));
  return read && protocol && { port: read.port, protocol };
}

/** `both` when absent, undefined when wrong. */
function readProtocol(
  reader: DocumentReader,
  entry: MapEntry | undefined,
  { both }: PortsShape,
): PortItem['protocol'] | undefined {
  if (entry === undefined) return 'both';
  const node = entry.value;
  const text = node.kind === 'scalar' && typeof node.value === 'string' ? node.value : '';
  const known = text.toLowerCase();
  if (known === both) return 'both';
  if (known === 'tcp' || known === 'udp' || known === 'icmp') return known;
  const words = both === undefined ? 'tcp, udp or icmp' : `${both}, tcp, udp or icmp`;
  return reader.wrong(node, words);
}

function readPort(
  reader: DocumentReader,
  node: DocumentNode,
  shape: PortsShape,
): PortItem | undefined {
  if (node.kind === 'map') return readPortMap(reader, node, shape);
  if (
    node.kind !== 'scalar' ||
    (typeof node.value !== 'number' && typeof node.value !== 'string')
  ) {
    return reader.wrong(node, PORT_EXPECTED);
  }
  return reader.text(node, (text) => ({ ...parsePortItem(text), notes: [] }));
}

/** The ports of a rule; `null` is every port. */
export function readPorts(
  reader: DocumentReader,
  entry: MapEntry | undefined,
  shape: PortsShape,
): readonly PortItem[] | null {
  if (entry === undefined) return null;
  const node = entry.value;
  const nodes = node.kind === 'list' ? node.items : [node];
  if (nodes.length === 0) {
    shape.onEmpty(node);
    return null;
  }
  const items = nodes.flatMap((item) => readPort(reader, item, shape) ?? []);
  return items.map(({ port, protocol }) => ({ port, protocol }));
}
