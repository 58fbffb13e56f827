// Public suffixes, by explicit lines of the Public Suffix List.
import { parse } from 'tldts';

const OPTIONS = { validateHostname: false, extractHostname: false, detectIp: false } as const;

/** Which section of the list names exactly this suffix; undefined when none does. */
export function suffixSection(name: string): 'icann' | 'private' | undefined {
  const all = parse(name, { ...OPTIONS, allowPrivateDomains: true });
  if (all.publicSuffix === name && all.isPrivate === true) return 'private';
  const icann = parse(name, { ...OPTIONS, allowPrivateDomains: false });
  return icann.publicSuffix === name && icann.isIcann === true ? 'icann' : undefined;
}

/** The suffix of the list's private section that a name is at or below; undefined when none is. */
export function rentedSuffixOf(name: string): string | undefined {
  const all = parse(name, { ...OPTIONS, allowPrivateDomains: true });
  return all.isPrivate === true ? (all.publicSuffix ?? undefined) : undefined;
}
