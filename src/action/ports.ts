// What the shells of main and post need of the world. The edges satisfy these structurally.
import type { UpstreamServer } from '../core/wire/session.ts';

/** The step's log. */
export interface Log {
  info(message: string): void;
  notice(message: string): void;
  warning(message: string): void;
  error(message: string): void;
  group(title: string, lines: readonly string[]): void;
  fail(message: string): void;
}

/** What DNS needs to know of the machine. */
export interface MachineResolvers {
  readonly upstreams: readonly UpstreamServer[];
  readonly resolvers: readonly string[];
  readonly localNames: readonly { readonly name: string; readonly addresses: readonly string[] }[];
}

/** A loader that is starting. */
export interface Loader {
  readonly lines: AsyncIterable<string>;
  write(line: string): void;
  end(): void;
  readonly ended: Promise<{ readonly code: number; readonly errorText: string }>;
}

/** Attempts against a sudo lockdown. */
export interface LockdownAttempts {
  /** `ran` or `refused`. */
  sudo(...words: string[]): Promise<string>;
  /** `allowed` or `refused`. */
  sudoMay(path: string): Promise<string>;
  /** Another program that gives root: `ran`, `refused` or `not there`. */
  becomeRoot(words: readonly string[]): Promise<string>;
  /** `connected` or an errno name. */
  connectSocket(path: string): Promise<string>;
}

/** Attempts of the proof, with plain sockets. */
export interface Attempts {
  connect(address: string, port: number): Promise<string>;
  send(address: string, port: number): Promise<string>;
  ask(address: string, message: Uint8Array): Promise<Uint8Array | undefined>;
}
