/** What the proxy counts; every number reaches the session's totals (I7). */
export interface DnsCounters {
  queries: number;
  answered: number;
  refused: number;
  /** Clients that were not in the owner map: dropped. */
  unowned: number;
  /** Messages too broken to answer, and responses sent to us: dropped. */
  undecodable: number;
  formerr: number;
  notimp: number;
  servfail: number;
  /** Questions over the limit of those at work at once: SERVFAIL. */
  overloaded: number;
  /** NXDOMAIN of our own for names below a Kubernetes suffix. */
  synthetic: number;
  reverseAnswered: number;
  reverseUnknown: number;
  local: number;
  cacheHits: number;
  /** Questions that shared another's look-up. */
  shared: number;
}

/** All counters at zero. */
export function zeroCounters(): DnsCounters {
  return {
    queries: 0,
    answered: 0,
    refused: 0,
    unowned: 0,
    undecodable: 0,
    formerr: 0,
    notimp: 0,
    servfail: 0,
    overloaded: 0,
    synthetic: 0,
    reverseAnswered: 0,
    reverseUnknown: 0,
    local: 0,
    cacheHits: 0,
    shared: 0,
  };
}
