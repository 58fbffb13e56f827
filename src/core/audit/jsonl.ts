// One JSON object a line. Encoding fixes the order of the contract; decoding is tolerant and names
// the lines it could not read.
import { consoleJson } from './console-json.ts';
import type { AuditRecord } from './event.ts';

const CONTRACT_ORDER = [
  'timestamp',
  'event_type',
  'src_ip',
  'dst_ip',
  'dst_hostname',
  'dst_port',
  'protocol',
  'process',
  'pid',
  'matched_rule',
  'auto_allowed_type',
  'would_deny',
  'blocked',
] as const;

const CONTRACT = new Set<string>(CONTRACT_ORDER);
const KINDS = new Set<string>([
  'connection_blocked',
  'connection_allowed',
  'connection_late_allowed',
  'protocol_blocked',
  'dns_blocked',
  'existing_connection',
  'traffic',
  'large_upload',
  'session_started',
  'session_ended',
  'tamper',
  'daemon_restarted',
  'dns_upstream_down',
  'dns_unusual',
]);

function isEmptyValue(value: unknown): boolean {
  return value === undefined || value === '' || value === 0;
}

// Records come in runs of one process, whose ancestors are most of a line: their text is made once.
const TEXTS = new WeakMap<object, string>();

function textOf(ancestry: object): string {
  const known = TEXTS.get(ancestry);
  if (known !== undefined) return known;
  const text = consoleJson(ancestry);
  TEXTS.set(ancestry, text);
  return text;
}

/** A record's line, with its line end. */
export function encodeRecord(record: AuditRecord): string {
  const fields = record as unknown as Readonly<Record<string, unknown>>;
  const line: Record<string, unknown> = {};
  for (const name of CONTRACT_ORDER) {
    const value = fields[name];
    if (!isEmptyValue(value)) line[name] = value;
  }
  for (const name in fields) {
    const value = fields[name];
    if (!isEmptyValue(value) && !CONTRACT.has(name) && name !== 'ancestry') line[name] = value;
  }
  const { ancestry } = fields;
  const text = consoleJson(line);
  if (typeof ancestry !== 'object' || ancestry === null) return `${text}\n`;
  return `${text.slice(0, -1)},"ancestry":${textOf(ancestry)}}\n`;
}

/** A log read back: its records, and the 1-based numbers of the lines that are none. */
export interface DecodedLog {
  readonly records: readonly AuditRecord[];
  readonly badLines: readonly number[];
}

/** Reads a log; a last line without its end is one that a crash cut short, and counts as bad. */
export function decodeLog(text: string): DecodedLog {
  const records: AuditRecord[] = [];
  const badLines: number[] = [];
  const lines = text.split('\n');
  const last = lines.pop();
  for (const [index, line] of lines.entries()) {
    const record = decodeRecord(line);
    if (record === undefined) badLines.push(index + 1);
    else records.push(record);
  }
  if (last !== undefined && last !== '') badLines.push(lines.length + 1);
  return { records, badLines };
}

/** One line's record; undefined when it is none of a kind we know. */
export function decodeRecord(line: string): AuditRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  return isRecord(value) ? value : undefined;
}

function isRecord(value: unknown): value is AuditRecord {
  if (typeof value !== 'object' || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  return (
    typeof fields.get('timestamp') === 'string' &&
    KINDS.has(String(fields.get('event_type'))) &&
    typeof fields.get('would_deny') === 'boolean' &&
    typeof fields.get('blocked') === 'boolean'
  );
}
