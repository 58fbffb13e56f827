// Parts of a policy file that both shapes have.
import type { MapEntry } from './document.ts';
import type { DocumentReader } from './document-reader.ts';
import type { RuleDraft } from './parse-list.ts';
import type { Action } from './policy.ts';
import { parseSearchDomain } from './search-domain.ts';

/** What a policy file says. */
export interface PolicyFile {
  readonly default: Action;
  readonly rules: readonly RuleDraft[];
  readonly searchDomains: readonly string[];
  readonly expectedBlocks: readonly RuleDraft[];
}

/** The suffixes of a list, without leading dots. */
export function readSearchDomains(
  reader: DocumentReader,
  entry: MapEntry | undefined,
): readonly string[] {
  const nodes = (entry && reader.list(entry.value, 'suffixes')) ?? [];
  return nodes.flatMap((node) => {
    const scalar = reader.string(node, 'a suffix');
    const read = scalar && reader.text(scalar, parseSearchDomain);
    return read === undefined ? [] : [read.name];
  });
}

/** Reads the lockdown; one that is switched on is an error until it is served. */
export function checkLockdown(
  reader: DocumentReader,
  entry: MapEntry | undefined,
  commandsKey: 'allow-commands' | 'allowCommands',
): void {
  const keys = entry && reader.map(entry.value, ['enabled', commandsKey]);
  const enabled = keys?.get('enabled');
  if (enabled !== undefined && reader.boolean(enabled) === true) {
    reader.fail(enabled.value.start, 'true', 'false: sudo-lockdown is not supported yet');
  }
  const commands = keys?.get(commandsKey);
  for (const node of (commands && reader.list(commands.value, 'absolute paths')) ?? []) {
    const path = reader.string(node, 'an absolute path');
    if (path !== undefined && !path.text.startsWith('/')) reader.wrong(node, 'an absolute path');
  }
}
