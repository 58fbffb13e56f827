// Through the proxy: which questions are looked at, in both modes, and what is recorded of them.
import { expect, test } from 'vitest';
import type { AuditRecord } from '../../src/core/audit/event.ts';
import { encodeRecord } from '../../src/core/audit/jsonl.ts';
import { SCOPE } from '../../src/core/flow/layout.gen.ts';
import type { DnsMode } from '../../src/daemon/dns-proxy-options.ts';
import { UnusualQuestions } from '../../src/daemon/unusual-questions.ts';
import { aSessionPolicy } from '../builders/a-session-policy.ts';
import { aProxy, type Client, query } from '../fakes/dns-world.ts';
import { schemaFaults } from '../lab/audit-schema.ts';

const NAME = (index: number) => `${'0123456789abcdef'.repeat(3)}${index}z.ok.example`;
const AT = '2026-11-24T06:35:00.000000000Z';

/** Asks for 100 names that look like data; what is recorded. */
async function told(allow: string, mode: DnsMode, client: Client = {}) {
  const records: AuditRecord[] = [];
  const unusual = new UnusualQuestions({
    policy: aSessionPolicy({ allow }),
    logger: { logEvent: (record) => records.push(record) },
    timestamp: () => AT,
    asker: () =>
      Promise.resolve({
        pid: 77,
        comm: 'curl',
        uid: 1001,
        origin: 2,
        scope: 0,
        cgroup: '42',
        startNs: 0n,
        execs: 0,
      }),
    seed: 1,
  });
  const world = aProxy({ allow, mode });
  for (let index = 0; index < 100; index++) {
    world.upstream.set(`${NAME(index)} A`, []);
    await world.ask(query(NAME(index), 'A', { id: index }), client);
  }
  for (const { known, client: asking } of world.answered) unusual.note(known, asking);
  await world.settle();
  return { records, names: unusual.names };
}

test.each(['enforce', 'audit'] as const)('mode %s', async (mode) => {
  const { records, names } = await told('ok.example', mode);
  expect(records).toEqual([
    {
      timestamp: AT,
      event_type: 'dns_unusual',
      process: 'curl',
      pid: 77,
      matched_rule: 'ok.example',
      would_deny: false,
      blocked: false,
      reason: expect.stringContaining('if nobody needs them, allow =ok.example alone'),
      names: 32,
      bytes: expect.any(Number),
      longest_label: 51,
      example: NAME(31),
    },
  ]);
  expect(names).toBeGreaterThan(95);
  expect(schemaFaults(records.map(encodeRecord).join('').trimEnd())).toEqual([]);
});

test('the names of a runner process, of an exact rule, and refused ones', async () => {
  expect(await told('ok.example', 'enforce', { proto: 'tcp', scope: SCOPE.RUNNER })).toEqual({
    records: [],
    names: 0,
  });
  expect((await told('=ok.example', 'enforce')).records).toEqual([]);
  expect((await told('other.example', 'audit')).records).toEqual([]);
});
