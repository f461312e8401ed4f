// Runs every step of CI, the slow build of the real backends beside the unit tests, and closes with a line of counts.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Counts {
  passed: number;
  failed: number;
}

const folder = await mkdtemp(join(tmpdir(), 'ci-'));
const sum: Counts = { passed: 0, failed: 0 };

const start = (
  command: string,
  args: readonly string[],
  isQuiet = false,
): { child: ChildProcess; done: Promise<{ code: number; output: string }> } => {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const take = (chunk: Buffer): void => {
    output += chunk.toString();
    if (!isQuiet) process.stdout.write(chunk);
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const done = new Promise<{ code: number; output: string }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
  return { child, done };
};

const tell = (isGood: boolean, name: string, started: number): void => {
  process.stdout.write(`${isGood ? 'ok  ' : 'FAIL'} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)\n`);
};

/** A step that passes or fails as a whole. */
const step = async (name: string, command: string, args: readonly string[]): Promise<void> => {
  const started = performance.now();
  process.stdout.write(`\n== ${name}\n`);
  const { code, output } = await start(command, args).done;
  const [, passed, failed] = /(\d+) passed, (\d+) failed\s*$/.exec(output.trim()) ?? [];
  sum.passed += passed === undefined ? Number(code === 0) : Number(passed);
  sum.failed += failed === undefined ? Number(code !== 0) : Math.max(Number(failed), Number(code !== 0));
  tell(code === 0, name, started);
};

/** A run of the test runner, counted test by test. A run without a test has failed. */
const tests = async (name: string, command: string, args: readonly string[]): Promise<void> => {
  const started = performance.now();
  process.stdout.write(`\n== ${name}\n`);
  const report = join(folder, `${name.replaceAll(' ', '-')}.json`);
  const { code } = await start(command, [...args, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]).done;
  const counted = await readFile(report, 'utf8').then(
    (text) => JSON.parse(text) as { numPassedTests: number; numFailedTests: number; numTotalTests: number },
    () => undefined,
  );
  const isGood = code === 0 && counted !== undefined && counted.numPassedTests > 0 && counted.numPassedTests === counted.numTotalTests;
  sum.passed += counted?.numPassedTests ?? 0;
  sum.failed += isGood ? 0 : Math.max(1, counted?.numFailedTests ?? 1);
  tell(isGood, name, started);
};

// The real backends take long to build the first time: they compile while the rest runs.
const building = start('nice', ['-n', '10', process.execPath, 'test/backends/main.ts', 'build'], true);

await step('check', process.execPath, ['scripts/check.ts']);
await tests('tests', 'npm', ['test', '--silent', '--']);
await step('conformance', process.execPath, ['test/conformance/run.ts']);

const built = await building.done;
if (built.code !== 0) process.stdout.write(`${built.output.slice(-4000)}\nFAIL build of the real backends\n`);
sum.failed += built.code === 0 ? 0 : 1;
if (built.code === 0) await tests('real backends', process.execPath, ['test/backends/main.ts', 'test', '--new', '--']);

await rm(folder, { recursive: true, force: true });
process.stdout.write(`\n${sum.passed} passed, ${sum.failed} failed\n`);
process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1;
