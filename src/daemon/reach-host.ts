// A host the daemon itself talks to: looked up by our own questions, opened to the daemon's own
// cgroup alone (scope 2 of the grants), on one TCP port.
import { TYPE } from '../core/dns/codes.ts';
import { type GrantTimes, judgeAnswer } from '../core/dns/judge-answer.ts';
import type { Opinion } from '../core/dns/opinion.ts';
import { segment } from '../core/dns/segment.ts';
import { type Address, parseAddress } from '../core/net/address.ts';
import { emptyPairs, type PortItem, pairsOf } from '../core/net/pair-set.ts';
import { GrantUpdater } from './firewall-updater.ts';
import type { GrantKeeper } from './grant-keeper.ts';
import type { Lookups } from './lookups.ts';

/** What reaching needs. */
export interface ReachParts {
  readonly lookups: Pick<Lookups, 'ask'>;
  readonly keeper: Pick<GrantKeeper, 'open'>;
  readonly times: GrantTimes;
  readonly own: (address: Address) => boolean;
  readonly nowMs: number;
}

const NO_OPINION: Opinion = { allow: [], deny: [], denied: emptyPairs(), deniesAll: false };

function onPort(port: number): readonly PortItem[] {
  return [{ port, protocol: 'tcp' }];
}

function daemonSegment(port: number) {
  const pairs = pairsOf(onPort(port), 'allow');
  return segment({ kind: 'daemon', pairs, rule: 0, private: true });
}

async function lookUp(name: string, type: number, port: number, parts: ReachParts) {
  const { lookups, times, own, nowMs } = parts;
  const { response } = await lookups.ask(name, type);
  const question = {
    name,
    type,
    allow: [daemonSegment(port)],
    deny: [],
    searchDomainOnly: false,
    defaultAllow: false,
    nowMs,
    age: 0,
    times,
    own,
    opinion: () => NO_OPINION,
  };
  return judgeAnswer(question, response);
}

/** Opens the host to the daemon; throws when it has no address that may be used. */
export async function reachHost(
  host: string,
  port: number,
  parts: ReachParts,
): Promise<readonly Address[]> {
  const { keeper, nowMs, times } = parts;
  const literal = parseAddress(host);
  if (literal !== undefined) {
    const terms = {
      name: host,
      kind: 'daemon',
      expiresAtMs: nowMs + times.grantFloorMs,
      nowMs,
    } as const;
    await new GrantUpdater(keeper, terms).addIp(literal, 'allow', onPort(port));
    return [literal];
  }
  const name = host.toLowerCase().replace(/\.$/u, '');
  const answers = await Promise.allSettled(
    [TYPE.A, TYPE.AAAA].map((type) => lookUp(name, type, port, parts)),
  );
  const addresses: Address[] = [];
  for (const answer of answers) {
    if (answer.status === 'rejected' || answer.value.kind !== 'answer') continue;
    const { grants, expiresAtMs } = answer.value;
    const updater = new GrantUpdater(keeper, { name, kind: 'daemon', expiresAtMs, nowMs });
    for (const { address } of grants) {
      await updater.addIp(address, 'allow', onPort(port));
      addresses.push(address);
    }
  }
  if (addresses.length === 0) throw new Error(`no address of ${host} can be used`);
  return addresses;
}
