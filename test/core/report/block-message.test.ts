import { describe, expect, test } from 'vitest';
import { parseNotifyUrl } from '../../../src/core/policy/notify-url.ts';
import { blockMessage } from '../../../src/core/report/block-message.ts';

const job = { repository: 'a/b', workflow: 'ci', job: 'build', runId: '7', runAttempt: '1' };
const destination = { hostname: 'evil.example.net', ip: '198.51.100.20', port: 443, job } as const;

describe('the message of a block', () => {
  test('says what, where and in which job, for chats and for programs', () => {
    expect(JSON.parse(blockMessage({ ...destination, mode: 'enforce' }))).toEqual({
      text: 'cargowall blocked evil.example.net:443 (198.51.100.20) in a/b / ci / build',
      event: 'blocked',
      hostname: 'evil.example.net',
      ip: '198.51.100.20',
      port: 443,
      mode: 'enforce',
      repository: 'a/b',
      workflow: 'ci',
      job: 'build',
      run_id: '7',
      run_attempt: '1',
    });
  });

  test('in mode audit it says that nothing was blocked', () => {
    const message = JSON.parse(blockMessage({ ...destination, mode: 'audit' }));
    expect(message).toMatchObject({ event: 'would_deny' });
    expect(message.text).toContain('would block');
  });

  test('an address without a name, with and without a port', () => {
    const of = (port: number) =>
      JSON.parse(
        blockMessage({ ...destination, hostname: '', ip: '2001:db8::1', port, mode: 'enforce' }),
      ).text;
    expect(of(443)).toContain('blocked [2001:db8::1]:443 in');
    expect(of(0)).toContain('blocked 2001:db8::1 in');
  });

  test('a hostile name makes no link and no mention in a chat', () => {
    const hostname = '<!channel>\u202e<https://evil.example.net|ok>&';
    const { text } = JSON.parse(blockMessage({ ...destination, hostname, mode: 'enforce' }));
    expect(text).toContain('&lt;!channel&gt;&lt;https://evil.example.net|ok&gt;&amp;');
  });
});

describe('notify-url', () => {
  test.each([
    ['', undefined],
    ['https://hooks.example.com/services/x', 'https://hooks.example.com/services/x'],
    ['http://10.1.2.3:8080/hook', 'http://10.1.2.3:8080/hook'],
  ])('"%s" is taken', (text, url) => {
    expect(parseNotifyUrl(text)).toEqual({ url });
  });

  test.each(['hooks.example.com', 'ftp://a.example/', 'https://user:secret@a.example/'])(
    '"%s" is an error that does not repeat it',
    (text) => {
      const parsed = parseNotifyUrl(text);
      expect(parsed).toHaveProperty('error');
      expect(JSON.stringify(parsed)).not.toContain('secret');
    },
  );
});
