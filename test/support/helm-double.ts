// For tests without Helm: a program in its place that writes down how it was called. What Helm itself does is proven with the real ones.

import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toRecord } from './helm-record.ts';

export interface HelmCall {
  readonly args: readonly string[];
  readonly input: string;
  readonly env: Readonly<Record<string, string>>;
  readonly kubeconfig: string;
  readonly mode: number;
}

export interface HelmDouble {
  readonly binary: string;
  calls(): Promise<HelmCall[]>;
  close(): Promise<void>;
}

const MANIFEST = '---\n# Source: web/templates/map.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  key: value\n';

/** The chart `slow` never ends, and starts a child that does not either. */
export const openHelmDouble = async (version = 'v4.2.4'): Promise<HelmDouble> => {
  const folder = await mkdtemp(join(tmpdir(), 'double-'));
  const binary = join(folder, 'helm');
  const log = join(folder, 'calls');
  const release = JSON.stringify(toRecord({ name: 'web', namespace: 'shop', manifest: MANIFEST, status: 'pending-install' }));
  await writeFile(log, '');
  await writeFile(
    binary,
    `#!${process.execPath}
const fs = require('node:fs');
const args = process.argv.slice(2);
if (args[0] === 'version') { process.stdout.write(${JSON.stringify(version)}); process.exit(0); }
const input = args.includes('--values') ? fs.readFileSync(0, 'utf8') : '';
const file = process.env.KUBECONFIG;
const isThere = fs.existsSync(file);
fs.appendFileSync(${JSON.stringify(log)}, JSON.stringify({ args, input, env: process.env, kubeconfig: isThere ? fs.readFileSync(file, 'utf8') : '', mode: isThere ? fs.statSync(file).mode & 0o777 : 0 }) + '\\n');
process.stderr.write('debug words of helm\\n');
if (args.includes('slow')) {
  require('node:child_process').spawn('sleep', ['1000'], { stdio: 'inherit' });
  process.on('SIGTERM', () => {});
  setInterval(() => {}, 1000);
} else process.stdout.write(args[0] === 'upgrade' ? ${JSON.stringify(release)} : ${JSON.stringify(MANIFEST)});
`,
  );
  await chmod(binary, 0o755);
  return {
    binary,
    calls: async () =>
      (await readFile(log, 'utf8'))
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as HelmCall),
    close: () => rm(folder, { recursive: true, force: true }),
  };
};
