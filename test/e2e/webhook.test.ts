import { beforeAll, describe, expect, test } from 'vitest';
import type { WorkflowRun } from '../lab/harness.ts';
import { eventsOf, recordsOf, runSteps, stepOf } from '../lab/run-written.ts';

const SECRET = 'hunter2-token';

describe('notify-url', () => {
  let run: WorkflowRun;
  let messages: readonly Record<string, unknown>[];
  beforeAll(async () => {
    run = await runSteps(
      'hook',
      `
- name: start
  uses: ./
  with:
    allowed-hosts: registry.example.com:443
    expected-blocks: 198.51.100.30:81
    notify-url: https://hooks.example.com/hook/${SECRET}
- name: blocked
  run: |
    for n in 1 2 3; do curl -sS --max-time 5 http://198.51.100.20/ || true; done
    curl -sS --max-time 5 http://198.51.100.20:8080/ || true
    curl -sS --max-time 5 http://198.51.100.30:81/ || true
    curl -sS --max-time 5 https://evil.example.net/ || true
- name: the job itself
  run: |
    curl -sS --max-time 5 https://hooks.example.com/hook/mine || true
    curl -sS --max-time 5 --resolve hooks.example.com:443:198.51.100.50 https://hooks.example.com/hook/mine || true
`,
    );
    const lines = run.uploads.get('hook.jsonl')?.toString().trim().split('\n') ?? [];
    messages = lines.map((line) => JSON.parse(line));
  }, 120_000);

  test('each blocked destination is told once; names and expected blocks are not', () => {
    expect(messages.map(({ ip, port }) => `${ip} ${port}`)).toEqual([
      '198.51.100.20 80',
      '198.51.100.20 8080',
      '198.51.100.50 443',
    ]);
    expect(messages[0]).toMatchObject({ event: 'blocked', repository: 'example/project' });
  });

  test('only the daemon reaches the webhook', () => {
    const own = eventsOf(run).filter(
      ({ dst_hostname: host, dst_ip: ip }) =>
        host === 'hooks.example.com' || ip === '198.51.100.50',
    );
    const allowed = own.filter(({ event_type: type }) => type === 'connection_allowed');
    expect(new Set(allowed.map(({ origin }) => origin))).toEqual(new Set(['daemon']));
    const refused = own.filter(({ blocked, origin }) => blocked && origin === 'job');
    const kinds = new Set(refused.map(({ event_type: type }) => type));
    expect(kinds).toEqual(new Set(['dns_blocked', 'connection_blocked']));
    expect(run.heard.filter((line) => line.includes('/hook/mine'))).toEqual([]);
  });

  test('its URL is in no log, record or report, and nothing is lost', () => {
    const { log, summary } = stepOf(run, 'Post start');
    const main = stepOf(run, 'start').log.replaceAll(
      `::add-mask::https://hooks.example.com/hook/${SECRET}`,
      '',
    );
    for (const text of [main, log, summary, run.auditLog, run.meta]) {
      expect(text).not.toContain(SECRET);
    }
    const ended = recordsOf(run).find(({ event_type: type }) => type === 'session_ended');
    expect(ended).toHaveProperty('lost.notifications', 0);
  });
});
