// What of the session the DNS gate needs.
import type { GateSettings } from '../core/dns/decide-query.ts';
import { type Address, parseAddress } from '../core/net/address.ts';
import type { SessionSettings } from '../core/wire/session.ts';

/** The gate's settings of a session. */
export function gateSettings(session: SessionSettings): GateSettings {
  const { policy, nonce } = session;
  const localNames = new Map<string, readonly Address[]>(
    session.localNames.map(({ name, addresses }) => [
      name.toLowerCase(),
      addresses.flatMap((text) => parseAddress(text) ?? []),
    ]),
  );
  const { searchDomains } = policy;
  return { defaultAllow: policy.default === 'allow', searchDomains, localNames, nonce };
}
