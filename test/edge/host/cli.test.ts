// The command line as a person calls it: text on standard input, exit code, JSON out.
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import process from 'node:process';
import { describe, expect, it } from 'vitest';

const POLICY = `version: 1
rules:
- host: example.com
  ports: 443/tcp
- cidr: 10.0.0.0/8
  ports: 443
`;

function cargowall(args: readonly string[], input = POLICY) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['src/cli.ts', ...args], {
    input,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe('cargowall lint', () => {
  it('ends with 0 for a good policy and 2 for a bad one, with every place', () => {
    expect(cargowall(['lint', '-']).status).toBe(0);
    const bad = cargowall(
      ['lint', '-', '--json', '--allow', 'a..b'],
      'version: 1\nrules: [{ cidr: 10.0.0.1/8 }]\n',
    );
    expect(bad.status).toBe(2);
    const { errors, warnings } = JSON.parse(bad.stdout);
    expect(warnings).toEqual([]);
    expect(errors[0]).toMatchObject({ source: 'input allowed-hosts', line: 1, column: 3 });
    expect(errors[1]).toMatchObject({ source: '-', line: 2, column: 17, found: '10.0.0.1/8' });
  });
});

describe('what lint counts', () => {
  it.each([
    ['version: 1\n', '0 errors, 0 warnings'],
    ['version: 2\n', '1 error, 0 warnings'],
    ['version: 1\nrules: [{ host: 192.0.2.1 }]\n', '0 errors, 1 warning'],
  ])('%j: %s', (policy, counted) => {
    expect(cargowall(['lint', '-'], policy).stdout.split('\n').at(-2)).toBe(counted);
  });
});

describe('a policy that is too much', () => {
  it('is refused on standard input as in a file, without waiting for its end', () => {
    // It has no end.
    const zeros = openSync('/dev/zero', 'r');
    const { status, stderr } = spawnSync(process.execPath, ['src/cli.ts', 'lint', '-'], {
      stdio: [zeros, 'pipe', 'pipe'],
      encoding: 'utf8',
    });
    closeSync(zeros);
    expect(stderr).toBe('error: policy file -: larger than 1048576 bytes. Make it smaller\n');
    expect(status).toBe(2);
  });

  it('of fifty mistakes all are shown, of more the first fifty and how many follow', () => {
    const wrong = (count: number) => `version: 1\n${'rules: 1\n'.repeat(count)}`;
    const lines = (count: number) => cargowall(['lint', '-'], wrong(count)).stdout.split('\n');
    expect(lines(51)).toHaveLength(50 + 2);
    const many = lines(301);
    expect(many.slice(0, 50).every((line) => line.startsWith('error: - line '))).toBe(true);
    expect(many.slice(50)).toEqual(['250 more errors are not shown', '300 errors, 0 warnings', '']);
    expect(cargowall(['explain', '-', 'a.example'], wrong(301)).stderr.split('\n')).toHaveLength(
      52,
    );
    const { errors } = JSON.parse(cargowall(['lint', '-', '--json'], wrong(301)).stdout);
    expect(errors).toHaveLength(300);
  });

  it('a reader who has seen enough is no error', () => {
    const input = `version: 1\n${'rules: 1\n'.repeat(5000)}`;
    const pipe = '"$0" src/cli.ts lint - --json | head -c 1; exit $PIPESTATUS';
    const run = spawnSync('bash', ['-c', pipe, process.execPath], { input, encoding: 'utf8' });
    expect([run.status, run.stdout, run.stderr]).toEqual([2, '{', '']);
  });
});

describe('what a policy says is no command of the runner that shows it', () => {
  const hostile = 'version: 1\nrules: [{ host: "##[add-mask]a" }]\n"::error::x": 1\n';

  it.each([[], ['--json']])('lint %s', (...options) => {
    const { stdout } = cargowall(['lint', '-', ...options], hostile);
    expect(stdout).toContain('add-mask');
    expect(stdout).not.toMatch(/##\[|^\s*::/mu);
  });
});

describe('cargowall explain', () => {
  it.each([
    ['127.0.0.0/8', '127.0.0.1:22', 'deny'],
    ['126.0.0.0/7', '127.0.0.1:22', 'allow'],
    ['::1', '[::1]:22', 'deny'],
    ['::/126', '[::1]:22', 'allow'],
    ['0.0.0.0/31', '0.0.0.0:22', 'allow'],
  ])('a deny of %s lies inside loopback, or does not: %s', (cidr, subject, verdict) => {
    const said = cargowall(['explain', '-', subject, '--json', '--block-cidr', cidr]);
    expect(JSON.parse(said.stdout)).toMatchObject({ verdict });
  });

  it.each([
    ['example.com:443', 0, 'allow', 'rule'],
    ['a.example.com:443/tcp', 0, 'allow', 'rule'],
    ['example.com:80', 1, 'deny', 'default'],
    ['example.com:53/udp', 1, 'deny', 'steered'],
    ['github.com:443', 0, 'allow', 'auto'],
    ['10.1.2.3:443/udp', 0, 'allow', 'rule'],
    ['[::1]:80', 0, 'allow', 'local'],
    ['localhost:80', 0, 'allow', 'local'],
    ['localhost:53/udp', 0, 'allow', 'local'],
    ['a.LOCALHOST:443', 0, 'allow', 'local'],
    ['_gateway:443', 1, 'deny', 'default'],
    ['_gateway:53/udp', 1, 'deny', 'steered'],
  ])('%s', (subject, status, verdict, by) => {
    const said = cargowall(['explain', '-', subject, '--json']);
    expect(said.status).toBe(status);
    expect(JSON.parse(said.stdout)).toMatchObject({ verdict, by });
  });

  it('of a name that the machine answers tells what its addresses get, whatever host rules say', () => {
    const of = (...args: string[]) => cargowall(['explain', '-', ...args]).stdout;
    const local = 'dns: answer, by the machine itself';
    expect(of('localhost:80', '--block', 'localhost')).toBe(
      `localhost:80/tcp: allow (local)\n  ${local}: 127.0.0.1, ::1; host rules say nothing of it\n`,
    );
    expect(of('localhost:80', '--block-cidr', '127.0.0.1:80')).toContain(
      'localhost:80/tcp: deny (rule "127.0.0.1", input blocked-cidrs line 1 column 1)',
    );
    expect(of('_gateway:443', '--allow', '_gateway')).toBe(
      `_gateway:443/tcp: deny (default)\n  ${local}; host rules say nothing of it: explain its address\n`,
    );
    const json = cargowall(['explain', '-', 'localhost:80', '--json']).stdout;
    expect(JSON.parse(json)).toMatchObject({ local: ['127.0.0.1', '::1'], considered: [] });
  });

  it('prints maximal port ranges without a port', () => {
    const { stdout } = cargowall(['explain', '-', '10.1.2.3', '--json']);
    const tcp = JSON.parse(stdout).pairs.filter(
      (range: { protocol: string }) => range.protocol === 'tcp',
    );
    expect(
      tcp.map(({ from, to, by }: { from: number; to: number; by: string }) => [from, to, by]),
    ).toEqual([
      [1, 52, 'default'],
      [53, 53, 'steered'],
      [54, 442, 'default'],
      [443, 443, 'rule'],
      [444, 65_535, 'default'],
    ]);
  });

  it('ends with 2 on a wrong policy, host or option', () => {
    expect(cargowall(['explain', '-', 'example.com'], '').status).toBe(2);
    expect(cargowall(['explain', '-', 'a..b']).stderr).toContain('column 3');
    expect(cargowall(['explain', '-', 'a.com', '--nope']).status).toBe(2);
    expect(cargowall(['nothing']).stderr).toContain('usage');
  });
});
