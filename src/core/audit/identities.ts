// The identities the loader has told. It tells one before the first event or question of its process,
// and relies on the latest IDENTITIES_TOLD (bpf/abi.h) being known.
import { decodeIdentities, type Identity, type IdentityKey } from './identity.ts';

/** IDENTITIES_TOLD of bpf/abi.h. */
const TOLD = 2048;

function keyOf({ pid, startNs, execs }: IdentityKey): string {
  return `${pid} ${startNs} ${execs}`;
}

/** Identities by process; bounded, those told longest ago go. */
export class Identities {
  #latest = new Map<string, Identity>();
  #before = new Map<string, Identity>();
  #unknown = 0;
  // Records come in runs of one process.
  #last: { readonly key: IdentityKey; readonly identity: Identity | undefined } | undefined;

  /** Records of processes whose program and ancestors were not kept. */
  get unknown(): number {
    return this.#unknown;
  }

  /** Takes the content of IDENTITIES. */
  tell(payload: Uint8Array): void {
    this.#last = undefined;
    for (const [key, identity] of decodeIdentities(payload)) {
      this.#latest.set(keyOf(key), identity);
      if (this.#latest.size < TOLD) continue;
      this.#before = this.#latest;
      this.#latest = new Map();
    }
  }

  /** Of a record's process; one that has a process and no identity is counted. */
  of(who: IdentityKey): Identity | undefined {
    if (who.pid === 0 || who.startNs === 0n) return undefined;
    const identity = this.#find(who);
    if (identity === undefined) this.#unknown++;
    return identity;
  }

  #find(who: IdentityKey): Identity | undefined {
    const last = this.#last;
    if (
      last?.key.startNs === who.startNs &&
      last.key.pid === who.pid &&
      last.key.execs === who.execs
    ) {
      return last.identity;
    }
    const key = keyOf(who);
    const identity = this.#latest.get(key) ?? this.#before.get(key);
    this.#last = { key: who, identity };
    return identity;
  }
}
