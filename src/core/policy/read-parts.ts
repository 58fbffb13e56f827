// Parts of a policy file that both shapes have.
import type { MapEntry } from './document.ts';
import type { DocumentReader } from './document-reader.ts';
import { type Lockdown, parseLockdownCommand } from './lockdown.ts';
import type { RuleDraft } from './parse-list.ts';
import type { Action } from './policy.ts';
import { parseSearchDomain } from './search-domain.ts';

/** What a policy file says. */
export interface PolicyFile {
  readonly default: Action;
  readonly rules: readonly RuleDraft[];
  readonly searchDomains: readonly string[];
  readonly expectedBlocks: readonly RuleDraft[];
  readonly lockdown: Lockdown;
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

/** Reads the lockdown. */
export function readLockdown(
  reader: DocumentReader,
  entry: MapEntry | undefined,
  commandsKey: 'allow-commands' | 'allowCommands',
): Lockdown {
  const keys = entry && reader.map(entry.value, ['enabled', commandsKey]);
  const commands = keys?.get(commandsKey);
  const nodes = (commands && reader.list(commands.value, 'absolute paths')) ?? [];
  return {
    enabled: reader.boolean(keys?.get('enabled')) ?? false,
    commands: nodes.flatMap((node) => {
      const scalar = reader.string(node, 'an absolute path');
      return (scalar && reader.text(scalar, parseLockdownCommand)?.path) ?? [];
    }),
  };
}
