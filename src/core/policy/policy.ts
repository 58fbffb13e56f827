// The policy as one complete value: plain, JSON-serialisable, the same in main, daemon and report.
import type { PortItem } from '../net/pair-set.ts';

/** What a rule does to what it covers. */
export type Action = 'allow' | 'deny';

/** Where a rule was written; line and column are 1-based and count code points. */
export interface Place {
  /** `input allowed-hosts`, the path of a file, `auto-allowed`. */
  readonly source: string;
  readonly line: number;
  readonly column: number;
}

/** What a rule speaks of. */
export type Target =
  /** Canonical lower-case A-labels; not `exact`: every subdomain too. */
  | { readonly kind: 'name'; readonly name: string; readonly exact: boolean }
  /** Labels of which some are `*` (one label) or `**` (one or more). */
  | { readonly kind: 'pattern'; readonly labels: readonly string[] }
  /** `10.0.0.0/8`, or a single address without a length. */
  | { readonly kind: 'prefix'; readonly text: string };

/** Why something is allowed without the user asking for it; the values of `auto_allowed_type`. */
export type AutoAllowedType =
  | 'dns'
  | 'cloud_metadata'
  | 'dhcp'
  | 'azure_infrastructure'
  | 'github_service';

/** One rule. */
export interface Rule {
  /** Index in the policy's rules plus one; the kernel's name for it. */
  readonly id: number;
  readonly target: Target;
  /** `null`: every port of TCP and UDP, and for a deny every protocol. */
  readonly ports: readonly PortItem[] | null;
  readonly action: Action;
  /** Private answers of this name become grants. */
  readonly private: boolean;
  readonly reason?: string;
  readonly autoAllowedType?: AutoAllowedType;
  /** A host the runner itself needs: for runner processes only, before all other rules. */
  readonly runnerHost?: true;
  /** The target as normalised, without ports: `matched_rule` of the records. */
  readonly text: string;
  readonly where: Place;
}

/** A whole policy. */
export interface Policy {
  readonly default: Action;
  /** User rules, then auto-allowed ones, then runner hosts; the order decides nothing. */
  readonly rules: readonly Rule[];
  /** Suffixes without a leading dot. */
  readonly searchDomains: readonly string[];
  /** Known noise: shown apart in the report, never a verdict. */
  readonly expectedBlocks: readonly Rule[];
  /** SHA-256 of the policy file in hex. */
  readonly hash?: string;
}
