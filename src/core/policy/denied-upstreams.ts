// Rules that deny an upstream resolver: the proxy's own questions are not policy (spec 6, `dns`).
import { parseAddress } from '../net/address.ts';
import { decideAddress } from './decide-address.ts';
import type { Policy } from './policy.ts';
import { type PolicyProblem, warningAt } from './problem.ts';

/** A warning for each rule that denies an upstream: it stops everybody but the proxy. */
export function deniedUpstreamWarnings(
  policy: Policy,
  upstreams: readonly { readonly address: string; readonly port: number }[],
): readonly PolicyProblem[] {
  const warned = new Map<string, PolicyProblem>();
  for (const { address: text, port } of upstreams) {
    const address = parseAddress(text);
    for (const protocol of ['udp', 'tcp'] as const) {
      const found = address && decideAddress(policy, address, protocol, port)?.rule;
      if (found?.action !== 'deny') continue;
      const message = `${found.text} denies the upstream resolver ${text}: the proxy goes on asking it, nobody else may. To ask another one set dns-upstream`;
      warned.set(`${found.id} ${text}`, warningAt(found.where, found.text, message));
    }
  }
  return [...warned.values()];
}
