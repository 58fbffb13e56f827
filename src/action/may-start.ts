// Whether a start is tried, and what is said otherwise. What the workflow has wrong comes first,
// whatever the machine; then what the machine can't do at all; only then what it lacks.

/** What main has found out before anything on the runner changes. */
export interface Findings {
  /** Wrong inputs and policy. */
  readonly inputErrors: readonly string[];
  /** Capabilities this machine does not have, each with its remedy. */
  readonly missing: readonly string[];
  /** What a capable machine lacks: a resolver, a cgroup to guard. */
  readonly machineErrors: readonly string[];
  /** Files of the action that are not what was released. */
  readonly damage: readonly string[];
}

/** Yes; or the errors; or the reasons `on-unsupported` is asked about. */
export type MayStart =
  | { readonly kind: 'yes' }
  | { readonly kind: 'no'; readonly errors: readonly string[] }
  | { readonly kind: 'unsupported'; readonly reasons: readonly string[] };

/** Decides; errors that stand together are said together. */
export function mayStart(findings: Findings): MayStart {
  const { inputErrors, missing, machineErrors, damage } = findings;
  if (inputErrors.length > 0) {
    // On a machine that can't be guarded its resolver and cgroup are no news.
    const rest = missing.length > 0 ? [] : machineErrors;
    return { kind: 'no', errors: [...inputErrors, ...rest] };
  }
  if (missing.length > 0) return { kind: 'unsupported', reasons: missing };
  const errors = [...machineErrors, ...damage];
  return errors.length > 0 ? { kind: 'no', errors } : { kind: 'yes' };
}
