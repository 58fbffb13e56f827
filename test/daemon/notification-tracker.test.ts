import { describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { NotificationTracker, notifyOf } from '../../src/daemon/notification-tracker.ts';

/** A receiver that fails the first `failures` times, and timers that end when told. */
function receiver(failures: number) {
  const sent: string[] = [];
  const waits: { readonly ms: number; readonly end: () => void }[] = [];
  let left = failures;
  const client = {
    sendCargoWallBlockNotification: (hostname: string, ip: string, port: number) => {
      sent.push(`${hostname} ${ip} ${port}`);
      return left-- > 0 ? Promise.reject(new Error('503')) : Promise.resolve();
    },
  };
  const after = (ms: number) => new Promise<void>((end) => waits.push({ ms, end }));
  const tracker = new NotificationTracker(client, { after });
  /** Ends the timer that waits, as its time would. */
  const elapse = async () => {
    waits.at(-1)?.end();
    await Promise.resolve();
    await tracker.idle();
  };
  return { sent, waits, tracker, elapse };
}

describe('a destination is told once', () => {
  test('by its name in lower case and its port, else by its address', async () => {
    const { sent, tracker } = receiver(0);
    tracker.sendNotification('Evil.example.net', '198.51.100.20', 443);
    tracker.sendNotification('evil.example.net', '198.51.100.21', 443);
    tracker.sendNotification('evil.example.net', '198.51.100.20', 80);
    tracker.sendNotification('', '198.51.100.20', 443);
    tracker.sendNotification('', '198.51.100.20', 443);
    await tracker.idle();
    expect(sent).toEqual([
      'Evil.example.net 198.51.100.20 443',
      'evil.example.net 198.51.100.20 80',
      ' 198.51.100.20 443',
    ]);
    expect(tracker).toMatchObject({ failed: 0, dropped: 0, pending: 0 });
  });
});

describe('a failed send', () => {
  test('is tried again at the next block', async () => {
    const { sent, tracker } = receiver(1);
    tracker.sendNotification('a.example', '', 1);
    await tracker.idle();
    expect(tracker.pending).toBe(1);
    tracker.sendNotification('a.example', '', 1);
    await tracker.idle();
    tracker.sendNotification('a.example', '', 1);
    await tracker.idle();
    expect(sent).toHaveLength(2);
    expect(tracker.pending).toBe(0);
  });

  test('is tried again by a timer, at most five times in all, then counted', async () => {
    const { sent, waits, tracker, elapse } = receiver(9);
    tracker.sendNotification('a.example', '', 1);
    await tracker.idle();
    for (let round = 0; round < 5; round++) await elapse();
    expect(sent).toHaveLength(5);
    expect(waits.map(({ ms }) => ms)).toEqual([1000, 2000, 4000, 8000]);
    expect(tracker).toMatchObject({ failed: 1, pending: 0 });
    tracker.sendNotification('a.example', '', 1);
    await tracker.idle();
    expect(sent).toHaveLength(5);
  });

  test('a timer whose block has come before sends nothing', async () => {
    const { sent, tracker, elapse } = receiver(1);
    tracker.sendNotification('a.example', '', 1);
    await tracker.idle();
    tracker.sendNotification('a.example', '', 1);
    await tracker.idle();
    await elapse();
    expect(sent).toHaveLength(2);
  });
});

test('a receiver that never answers holds nothing up, and what is beyond 10,000 is counted', () => {
  const client = { sendCargoWallBlockNotification: () => new Promise<void>(() => undefined) };
  const tracker = new NotificationTracker(client, { after: () => Promise.resolve() });
  for (let port = 1; port <= 10_005; port++) tracker.sendNotification('a.example', '', port);
  expect(tracker).toMatchObject({ pending: 10_000, dropped: 5 });
});

describe('which records are told', () => {
  const blocked: AuditEvent = {
    timestamp: '2026-11-24T06:35:00.000000000Z',
    event_type: 'connection_blocked',
    dst_ip: '198.51.100.20',
    dst_hostname: 'evil.example.net',
    dst_port: 443,
    would_deny: false,
    blocked: true,
  };

  test.each<[string, Partial<AuditEvent>, string[]]>([
    ['a blocked connection', {}, ['evil.example.net 198.51.100.20 443']],
    [
      'one that would be',
      { blocked: false, would_deny: true },
      ['evil.example.net 198.51.100.20 443'],
    ],
    [
      'a blocked protocol, without a port',
      { event_type: 'protocol_blocked' },
      ['evil.example.net 198.51.100.20 0'],
    ],
    ['no blocked name', { event_type: 'dns_blocked' }, []],
    ['no late allow', { event_type: 'connection_late_allowed', blocked: false }, []],
    ['no existing connection', { event_type: 'existing_connection' }, []],
    ['no expected block', { expected: true }, []],
    ['not the proof', { reason: 'proof' }, []],
  ])('%s', async (_what, changed, expected) => {
    const { sent, tracker } = receiver(0);
    notifyOf({ ...blocked, ...changed }, tracker);
    await tracker.idle();
    expect(sent).toEqual(expected);
  });
});
