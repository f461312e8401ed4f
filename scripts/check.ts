// Everything that is checked without running the product: format, lint, types, generated files, unused code, the package as published.

import { spawnSync } from 'node:child_process';

const CHECKS: readonly (readonly [string, string, readonly string[]])[] = [
  ['format and lint', 'biome', ['ci', '--colors=off', '--max-diagnostics=20', '.']],
  ['types', 'tsc', ['-p', '.']],
  ['generated files', process.execPath, ['scripts/generate.ts', '--check']],
  ['build', 'rolldown', ['-c', '--logLevel', 'warn']],
  ['package', 'publint', ['run', '--strict']],
];

let failed = 0;
for (const [name, command, args] of CHECKS) {
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  if (status !== 0) failed += 1;
  process.stdout.write(`${status === 0 ? 'ok  ' : 'FAIL'} ${name}\n`);
}
process.stdout.write(`${CHECKS.length - failed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
