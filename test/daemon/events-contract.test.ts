// The contract's public names (spec 8), each with its meaning: what a caller who knows the events
// package of the reference implementation counts on.
import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/core/net/address.ts';
import { AuditLogger, type LoggedFlow } from '../../src/daemon/audit-logger.ts';
import { GrantUpdater } from '../../src/daemon/firewall-updater.ts';
import type { GrantKeeper } from '../../src/daemon/grant-keeper.ts';

const FLOW: LoggedFlow = {
  timestamp: '2026-11-24T06:35:00.000000001Z',
  srcIp: '10.1.2.3',
  dstIp: '198.51.100.20',
  hostname: 'a.example.com',
  dstPort: 443,
  process: 'curl',
  pid: 7,
  protocol: 'TCP',
};
const HEAD =
  '"src_ip":"10.1.2.3","dst_ip":"198.51.100.20","dst_hostname":"a.example.com","dst_port":443,' +
  '"protocol":"TCP","process":"curl","pid":7';

/** A log in memory; `fails` makes the disk full. */
class Log {
  text = '';
  fails = false;

  append(lines: string): void {
    if (this.fails) throw new Error('ENOSPC');
    this.text += lines;
  }
}

function aLogger(auditMode = false) {
  const log = new Log();
  return { log, logger: new AuditLogger(log, auditMode) };
}

const line = (type: string, fields: string, flags: string) =>
  `{"timestamp":"${FLOW.timestamp}","event_type":"${type}",${fields},${flags}}\n`;
const NEITHER = '"would_deny":false,"blocked":false';
const BLOCKED = '"would_deny":false,"blocked":true';
const WOULD = '"would_deny":true,"blocked":false';

describe('AuditLogger', () => {
  const cases: readonly [
    name: string,
    log: (logger: AuditLogger) => void,
    type: string,
    fields: string,
    isRefusal: boolean,
  ][] = [
    [
      'logConnectionAllowed',
      (logger) => logger.logConnectionAllowed({ ...FLOW, autoAllowedType: 'github_service' }),
      'connection_allowed',
      `${HEAD},"auto_allowed_type":"github_service"`,
      false,
    ],
    [
      'logConnectionBlocked',
      (logger) => logger.logConnectionBlocked(FLOW),
      'connection_blocked',
      HEAD,
      true,
    ],
    [
      'logConnectionLateAllowed',
      (logger) => logger.logConnectionLateAllowed({ ...FLOW, matchedRule: '*.example.com' }),
      'connection_late_allowed',
      `${HEAD},"matched_rule":"*.example.com"`,
      false,
    ],
    [
      'logProtocolBlocked',
      (logger) =>
        logger.logProtocolBlocked({ timestamp: FLOW.timestamp, dstIp: '::1', protocol: 'GRE' }),
      'protocol_blocked',
      '"dst_ip":"::1","protocol":"GRE"',
      true,
    ],
    [
      'logDnsBlocked',
      (logger) => logger.logDnsBlocked({ timestamp: FLOW.timestamp, hostname: 'evil.example' }),
      'dns_blocked',
      '"dst_hostname":"evil.example"',
      true,
    ],
    [
      'logExistingConnection of an allowed flow',
      (logger) => logger.logExistingConnection(FLOW, true),
      'existing_connection',
      HEAD,
      false,
    ],
    [
      'logExistingConnection of a denied flow',
      (logger) => logger.logExistingConnection(FLOW, false),
      'existing_connection',
      HEAD,
      true,
    ],
  ];

  test.each(cases)('%s', (_name, write, type, fields, isRefusal) => {
    const enforcing = aLogger();
    write(enforcing.logger);
    expect(enforcing.log.text).toBe(line(type, fields, isRefusal ? BLOCKED : NEITHER));
    const auditing = aLogger(true);
    write(auditing.logger);
    expect(auditing.log.text).toBe(line(type, fields, isRefusal ? WOULD : NEITHER));
    expect(auditing.logger.totals()).toEqual({ [type]: 1 });
  });

  test('setAuditMode changes later records only, isAuditMode says it', () => {
    const { log, logger } = aLogger();
    logger.logConnectionBlocked(FLOW);
    expect(logger.isAuditMode()).toBe(false);
    logger.setAuditMode(true);
    expect(logger.isAuditMode()).toBe(true);
    logger.logConnectionBlocked(FLOW);
    expect(log.text.split('\n').map((text) => text.slice(-36))).toEqual([
      expect.stringContaining(BLOCKED),
      expect.stringContaining(WOULD),
      '',
    ]);
  });

  test('logEvent writes a record as it is, whatever the mode', () => {
    const { log, logger } = aLogger(true);
    const flags = { would_deny: false, blocked: true };
    logger.logEvent({ timestamp: FLOW.timestamp, event_type: 'connection_blocked', ...flags });
    expect(log.text).toContain(BLOCKED);
  });

  test('close ends the log: later records are counted as lost, as are those of a full disk', () => {
    const { log, logger } = aLogger();
    log.fails = true;
    logger.logConnectionBlocked(FLOW);
    log.fails = false;
    logger.close();
    logger.logConnectionAllowed(FLOW);
    expect([log.text, logger.lost, logger.totals()]).toEqual(['', 2, {}]);
  });
});

describe('FirewallUpdater.addIp', () => {
  const address = parseAddress('198.51.100.20') ?? new Uint8Array(16);
  const terms = { name: 'a.example', kind: 'user', expiresAtMs: 9000, nowMs: 1000 } as const;

  test.each(['allow', 'deny'] as const)(
    '%s, on its ports, says whether it is new',
    async (action) => {
      const opened: Parameters<GrantKeeper['open']>[0][] = [];
      const keeper = {
        open: (grant: Parameters<GrantKeeper['open']>[0]) => {
          opened.push(grant);
          return Promise.resolve(opened.length === 1);
        },
      };
      const updater = new GrantUpdater(keeper, terms);
      const ports = [{ port: 443, protocol: 'tcp' }] as const;
      expect(await updater.addIp(address, action, ports)).toBe(true);
      expect(await updater.addIp(address, action, ports)).toBe(false);
      const [{ grants = [], ...rest } = { grants: [] }] = opened;
      expect(rest).toEqual({ name: 'a.example', expiresAtMs: 9000, nowMs: 1000 });
      const [one] = grants;
      expect(one?.address).toEqual(address);
      expect([one?.grants.length, one?.denials.length]).toEqual(
        action === 'allow' ? [1, 0] : [0, 1],
      );
      const [segment] = [...(one?.grants ?? []), ...(one?.denials ?? [])];
      expect(segment?.pairs).toMatchObject({ tcp: { kind: 'some', ports: [443] } });
    },
  );

  test('throws when the kernel refuses', async () => {
    const keeper = { open: () => Promise.reject(new Error('the kernel refused a grant')) };
    await expect(new GrantUpdater(keeper, terms).addIp(address, 'allow', null)).rejects.toThrow(
      'the kernel refused',
    );
  });
});
