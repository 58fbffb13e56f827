// What a cloud adds to a session (spec 7, Search domains).
import { type Cloud, cloudSearchDomains } from '../core/policy/cloud.ts';
import type { Hello } from '../core/wire/loader-messages.ts';

/** The session with the search domains of the cloud the machine is in. */
export function inCloud(hello: Hello, cloud: Cloud | undefined): Hello {
  const { session } = hello;
  const { policy } = session;
  const searchDomains = [...new Set([...policy.searchDomains, ...cloudSearchDomains(cloud)])];
  return { ...hello, session: { ...session, policy: { ...policy, searchDomains } } };
}
