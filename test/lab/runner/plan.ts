// What the harness's runner is told, and what it tells back; plain JSON both ways.

interface StepBase {
  readonly name: string;
  readonly id: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly mayFail: boolean;
  readonly always: boolean;
}

export type PlannedStep =
  | (StepBase & { readonly kind: 'run'; readonly script: string })
  | (StepBase & {
      readonly kind: 'action';
      /** Relative to the workspace. */
      readonly main: string;
      /** Empty: the action has none. */
      readonly post: string;
      readonly inputs: Readonly<Record<string, string>>;
    });

export interface Plan {
  readonly workflow: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly steps: readonly PlannedStep[];
}

export interface StepResult {
  readonly name: string;
  readonly code: number;
  readonly log: string;
  readonly outputs: Readonly<Record<string, string>>;
  readonly summary: string;
  /** Start to exit, and exit to the end of its pipes. */
  readonly ranMs: number;
  readonly pipesMs: number;
}

export interface RunResult {
  readonly steps: readonly StepResult[];
  /** Renewals over fresh connections, pings over the flow opened before main, uploads of logs. */
  readonly service: Readonly<
    Record<'renewals' | 'pings' | 'uploads', { ok: number; failed: string[] }>
  >;
}
