// One entry of section "Rule grammar": target [ ":" ports ].
import type { PortItem } from '../net/pair-set.ts';
import { isWildcard, printTarget } from './host-pattern.ts';
import { parsePortItems } from './parse-ports.ts';
import { cutEntry, parseTarget, possiblePort } from './parse-target.ts';
import type { Action, Target } from './policy.ts';
import { Fault } from './problem.ts';
import { suffixSection } from './public-suffix.ts';

/** What an entry may be, by the list it stands in. */
export interface EntryKind {
  readonly action: Action;
  /** `names` refuses addresses, `hosts` takes them with a warning, `cidrs` refuses names, `any` takes both. */
  readonly takes: 'names' | 'hosts' | 'cidrs' | 'any';
  readonly allowBroad: boolean;
}

/** Something doubtful about an entry, at an offset in UTF-16 units. */
export interface Note {
  readonly at: number;
  readonly found: string;
  readonly message: string;
}

/** A parsed entry. */
export interface Entry {
  readonly target: Target;
  readonly ports: readonly PortItem[] | null;
  readonly notes: readonly Note[];
}

/** The labels of an allow that an owner must stand behind; undefined when none can be broad. */
function rightmostLiteral(target: Target): readonly string[] | undefined {
  if (target.kind === 'prefix' || (target.kind === 'name' && target.exact)) return undefined;
  if (target.kind === 'name') return target.name.split('.');
  return target.labels.slice(target.labels.findLastIndex(isWildcard) + 1);
}

function checkBroad(target: Target, text: string, kind: EntryKind): readonly Note[] {
  const labels = kind.action === 'allow' ? rightmostLiteral(target) : undefined;
  if (labels === undefined) return [];
  const section = labels.length === 0 ? 'icann' : suffixSection(labels.join('.'));
  if (section === 'icann' && !kind.allowBroad) {
    throw new Fault(
      0,
      text,
      'a narrower allow: this covers names of owners nobody chose (a policy file may say allow-broad: true)',
    );
  }
  if (section !== 'private') return [];
  const message = `${labels.join('.')} is a public suffix: anyone can register a name below it`;
  return [{ at: 0, found: text, message }];
}

/** The doubts that a target without its ports gives; throws Fault when it may not stand here. */
export function checkTarget(target: Target, text: string, kind: EntryKind): readonly Note[] {
  if (target.kind !== 'prefix') {
    if (kind.takes === 'cidrs')
      throw new Fault(0, text, 'an address or a CIDR; names go with the hosts');
    return checkBroad(target, text, kind);
  }
  if (kind.takes === 'names')
    throw new Fault(0, text, 'a host; an address that steps reach goes in allowed-cidrs');
  const notes: Note[] = [];
  if (kind.takes === 'hosts') {
    const message = `${printTarget(target)} is an address: taken as an address rule, better placed with the CIDRs`;
    notes.push({ at: 0, found: text, message });
  }
  const port = text.includes(':') ? possiblePort(text) : undefined;
  if (port !== undefined) {
    const message = `${port} is read as the last group of the address; for a port write [address]:${port}`;
    notes.push({ at: text.length - port.length, found: port, message });
  }
  return notes;
}

/** Why naming port 53 of a name is doubtful. */
export const PORT_53_MESSAGE =
  'port 53 of a name changes nothing: DNS is steered to the proxy; only a rule for a single address opens it';

function portNotes(target: Target, ports: readonly PortItem[], text: string): readonly Note[] {
  const index = ports.findIndex((item) => item.port === 53);
  if (target.kind === 'prefix' || index < 0) return [];
  const at = text.split(';').slice(0, index).join(';').length + (index > 0 ? 1 : 0);
  return [{ at, found: '53', message: PORT_53_MESSAGE }];
}

function parseUnspaced(text: string, kind: EntryKind): Entry {
  const { target: targetText, portsAt } = cutEntry(text);
  const target = parseTarget(targetText);
  const notes = [...checkTarget(target, targetText, kind)];
  if (portsAt === undefined) return { target, ports: null, notes };
  try {
    const ports = parsePortItems(text.slice(portsAt));
    const doubts = portNotes(target, ports, text.slice(portsAt));
    notes.push(...doubts.map((note) => ({ ...note, at: note.at + portsAt })));
    return { target, ports, notes };
  } catch (error) {
    throw error instanceof Fault ? error.moved(portsAt) : error;
  }
}

const BLANK_HINTS = {
  ports: 'ports stand right behind the colon; separate two entries with a comma or a new line',
  entries: 'separate two entries with a comma or a new line',
};

/** An entry without blanks around it; throws the leftmost Fault. */
export function parseEntry(text: string, kind: EntryKind): Entry {
  const blank = text.search(/\s/u);
  if (blank < 0) return parseUnspaced(text, kind);
  const head = text.slice(0, blank);
  try {
    // A colon before the blank lacks its ports at the blank: the blank is what is wrong.
    parseUnspaced(head.replace(/:$/u, ''), kind);
  } catch (error) {
    if (error instanceof Fault && error.at < blank) throw error;
  }
  throw new Fault(
    blank,
    text.slice(blank),
    `no blank inside an entry: ${BLANK_HINTS[head.endsWith(':') ? 'ports' : 'entries']}`,
  );
}
