// The command line as a person calls it: text on standard input, exit code, JSON out.
import { spawnSync } from 'node:child_process';
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
    ['example.com:443', 0, 'allow', 'rule'],
    ['a.example.com:443/tcp', 0, 'allow', 'rule'],
    ['example.com:80', 1, 'deny', 'default'],
    ['example.com:53/udp', 1, 'deny', 'steered'],
    ['github.com:443', 0, 'allow', 'auto'],
    ['10.1.2.3:443/udp', 0, 'allow', 'rule'],
    ['[::1]:80', 0, 'allow', 'local'],
  ])('%s', (subject, status, verdict, by) => {
    const said = cargowall(['explain', '-', subject, '--json']);
    expect(said.status).toBe(status);
    expect(JSON.parse(said.stdout)).toMatchObject({ verdict, by });
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
