// A session as main would hand it over, and main's part of the proof, for tests of the daemon.
import {
  type SessionSettings,
  type SessionTimes,
  SPEC_TIMES,
} from '../../src/core/wire/session.ts';
import { aSessionPolicy, type PolicyWishes } from '../builders/a-session-policy.ts';

/** The lab's resolver. */
export const RESOLVER = '192.0.2.53';

/** What a test says of its session. */
export interface SessionWishes extends PolicyWishes {
  readonly mode?: SessionSettings['mode'];
  readonly times?: Partial<SessionTimes>;
  readonly nonce?: string;
  readonly upstream?: SessionSettings['upstreams'][number];
  readonly debug?: boolean;
  readonly allowExisting?: boolean;
}

/** The settings of a session in the lab. */
export function aSession(wishes: SessionWishes): SessionSettings {
  return {
    version: 1,
    mode: wishes.mode ?? 'enforce',
    policy: aSessionPolicy(wishes),
    upstreams: [wishes.upstream ?? { address: RESOLVER, port: 53 }],
    resolvers: [RESOLVER, '127.0.0.53', '127.0.0.54'],
    localNames: [{ name: 'machine.test', addresses: ['192.0.2.2'] }],
    times: { ...SPEC_TIMES, ...wishes.times },
    nonce: wishes.nonce ?? '0123456789abcdef0123456789abcdef',
    job: { repository: 'a/b', workflow: 'test', job: 'test', runId: '1', runAttempt: '1' },
    allowExisting: wishes.allowExisting ?? true,
    debug: wishes.debug ?? false,
  };
}
