// Runs the protocol's conformance suite against the real HTTP door (RULE-05: 30 of 30, 37 of 37): all scored scenarios with fixtures and
// sessions, and the production checks without. Greens can be vacuous, so the checks of every scenario are read too: no WARNING, no SKIPPED, a floor on SUCCESS.

import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createApp, loadSettings } from '../../src/app.ts';

interface Check {
  readonly id: string;
  readonly status: string;
  readonly errorMessage?: string;
}

/** Scored scenarios and the least number of successful checks seen with them. */
const REVISIONS = [
  { revision: '2025-11-25', scored: 30, floor: 74 },
  { revision: '2026-07-28', scored: 37, floor: 100 },
] as const;

/** Without fixtures: scenario, wire version, and how many checks must succeed. */
const PRODUCTION = [
  { scenario: 'server-initialize', version: '2025-11-25', floor: 2 },
  { scenario: 'ping', version: '2025-11-25', floor: 2 },
  { scenario: 'tools-list', version: '2025-11-25', floor: 3 },
  { scenario: 'tools-list', version: '2026-07-28', floor: 3 },
  { scenario: 'caching', version: '2026-07-28', floor: 8 },
  { scenario: 'dns-rebinding-protection', version: '2026-07-28', floor: 2 },
  { scenario: 'http-header-validation', version: '2026-07-28', floor: 14 },
  { scenario: 'sep-2164-resource-not-found', version: '2026-07-28', floor: 4 },
  { scenario: 'server-sse-multiple-streams', version: '2026-07-28', floor: 1 },
  { scenario: 'server-stateless', version: '2026-07-28', floor: 24, openChecks: 4 },
] as const;

/** Run by the suite but not part of a revision's requirements. */
const UNSCORED =
  /server-(server-session-lifecycle|json-schema-2020-12|server-sse-polling|tasks-|http-header-validation|http-custom-header-server-validation|sep-2640)/;

const root = fileURLToPath(new URL('../..', import.meta.url));
const cli = join(root, 'node_modules', '@modelcontextprotocol', 'conformance', 'dist', 'index.js');

const runReferee = (args: readonly string[]): Promise<{ code: number; output: string }> => runNode([cli, 'server', ...args]);

const runNode = (args: readonly string[]): Promise<{ code: number; output: string }> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });

/** All checks below a results folder, by scenario folder. */
const readChecks = async (folder: string): Promise<Map<string, Check[]>> => {
  const found = new Map<string, Check[]>();
  for (const entry of await readdir(folder, { recursive: true })) {
    if (!entry.endsWith('checks.json')) continue;
    found.set(entry.slice(0, -'/checks.json'.length), JSON.parse(await readFile(join(folder, entry), 'utf8')) as Check[]);
  }
  return found;
};

const count = (checks: Iterable<Check>, status: string): number => [...checks].filter((check) => check.status === status).length;

const serve = async (withFixtures: boolean): Promise<{ url: string; close(): Promise<void> }> => {
  const flags = {
    'server.mode': 'streamable-http',
    'server.addr': '127.0.0.1:0',
    'logging.level': 'error',
    // Listed whether a cluster answers or not: the referees see every definition.
    'kubernetes.enabled': true,
    ...(withFixtures ? { plugins: [join(root, 'test', 'conformance', 'fixtures.ts')], 'server.legacySessions': true } : {}),
  };
  const app = await createApp(await loadSettings({ env: {}, flags }));
  const door = await app.openHttp();
  return {
    url: `http://localhost:${new URL(door.url).port}${withFixtures ? '/api/test/streamable-http' : '/mcp'}`,
    close: () => app.close(),
  };
};

let failures = 0;
const tell = (isGood: boolean, line: string): void => {
  if (!isGood) failures += 1;
  process.stdout.write(`${isGood ? 'ok  ' : 'FAIL'} ${line}\n`);
};

const results = await mkdtemp(join(tmpdir(), 'conformance-'));
let passed = 0;

const withFixtures = await serve(true);
for (const { revision, scored, floor } of REVISIONS) {
  const folder = join(results, revision);
  const { code, output } = await runReferee(['--url', withFixtures.url, '--requirements', revision, '-o', folder]);
  const scenarios = await readChecks(folder);
  const checks = [...scenarios.values()].flat();
  const summary = output.split('\n').filter((line) => /scored|passed|failed|✓|✗/i.test(line));
  for (const [scenario, list] of scenarios) {
    const bad = list.filter(({ status }) => status === 'FAILURE' || status === 'WARNING' || status === 'SKIPPED');
    if (bad.length === 0) passed += 1;
    else if (!UNSCORED.test(scenario))
      tell(
        false,
        `${scenario}: ${bad
          .map(({ id, status, errorMessage }) => `${status} ${id} ${errorMessage ?? ''}`)
          .join(' | ')
          .slice(0, 600)}`,
      );
  }
  tell(
    code === 0,
    `${revision}: exit ${code}, ${scenarios.size} scenarios (${scored} scored), ${count(checks, 'SUCCESS')} checks succeeded`,
  );
  if (code !== 0) process.stdout.write(`${summary.slice(-45).join('\n')}\n`);
  tell(count(checks, 'SUCCESS') >= floor, `${revision}: at least ${floor} successful checks`);
}
await withFixtures.close();

const production = await serve(false);
for (const item of PRODUCTION) {
  const folder = join(results, 'production', `${item.scenario}-${item.version}`);
  await runReferee(['--url', production.url, '--scenario', item.scenario, '--spec-version', item.version, '-o', folder]);
  const checks = [...(await readChecks(folder)).values()].flat();
  const bad = checks.filter(({ status }) => status === 'FAILURE' || status === 'WARNING');
  const isGood = count(checks, 'SUCCESS') >= item.floor && bad.length <= ('openChecks' in item ? item.openChecks : 0);
  if (isGood) passed += 1;
  tell(isGood, `production ${item.scenario} at ${item.version}: ${count(checks, 'SUCCESS')} of ${checks.length} (at least ${item.floor})`);
  if (!isGood)
    process.stdout.write(
      `     ${bad
        .map(({ id, errorMessage }) => `${id}: ${errorMessage ?? ''}`)
        .join(' | ')
        .slice(0, 900)}\n`,
    );
}
// The second referee reads the definitions as strict clients do.
const inspector = await realpath(join(root, 'node_modules', '.bin', 'inspector'));
for (const era of ['modern', 'legacy']) {
  const url = production.url.replace('/mcp', '/api/aggregate/streamable-http');
  const { code, output } = await runNode([
    inspector,
    '--cli',
    url,
    '--transport',
    'http',
    '--method',
    'tools/list',
    '--strict',
    '--protocol-era',
    era,
  ]);
  const words = /(\d+) errors?, \d+ warnings? across \d+ tools?/.exec(output);
  const isGood = code === 0 && words?.[1] === '0';
  if (isGood) passed += 1;
  tell(isGood, `inspector --strict, ${era}: ${words?.[0] ?? `exit ${code} ${output.slice(-300)}`}`);
}
await production.close();
await rm(results, { recursive: true, force: true });

process.stdout.write(`conformance: ${passed} passed, ${failures} failed\n`);
process.exitCode = failures === 0 ? 0 : 1;
