// The built program as users start it, in a folder of the benchmark's own: a rebuild by somebody else must not change it in the middle of a run.

import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { rolldown } from 'rolldown';
import { stringify } from 'yaml';
import config from '../../rolldown.config.ts';

export const ROOT = resolve(import.meta.dirname, '../..');

export interface Program {
  readonly main: string;
  readonly folder: string;
  /** A kubeconfig file with a context per cluster; the first is the current one. */
  writeKubeconfig(clusters: readonly KubeCluster[]): Promise<string>;
  remove(): Promise<void>;
}

export interface KubeCluster {
  readonly name: string;
  readonly server: string;
  readonly token?: string;
}

export interface StartOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Options of Node itself. */
  readonly node?: readonly string[];
}

export interface Running {
  readonly pid: number;
  readonly url: string;
  stop(): Promise<void>;
}

/** Bundles the program like `npm run build`, beside a copy of package.json as in the published package. */
export const buildProgram = async ({ sourcemap = false }: { sourcemap?: boolean } = {}): Promise<Program> => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-program-'));
  const { output, ...input } = config;
  const bundle = await rolldown({ ...input, cwd: ROOT });
  await bundle.write({ ...[output].flat()[0], dir: join(folder, 'dist'), sourcemap });
  await bundle.close();
  await cp(join(ROOT, 'package.json'), join(folder, 'package.json'));
  let files = 0;
  return {
    main: join(folder, 'dist', 'main.js'),
    folder,
    async writeKubeconfig(clusters) {
      files += 1;
      const file = join(folder, `kubeconfig-${files}`);
      await writeFile(file, toKubeconfig(clusters));
      return file;
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
};

const toKubeconfig = (clusters: readonly KubeCluster[]): string =>
  stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': clusters[0]?.name,
    clusters: clusters.map(({ name, server }) => ({ name, cluster: { server } })),
    users: clusters.map(({ name, token = 'none' }) => ({ name, user: { token } })),
    contexts: clusters.map(({ name }) => ({ name, context: { cluster: name, user: name } })),
  });

const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

const remember = <Child extends ChildProcess>(child: Child): Child => {
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
};

/** An environment without the settings of whoever runs the benchmark. */
export const cleanEnvironment = (env: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  HOME: join(tmpdir(), 'bench-no-home'),
  ...env,
});

/** Limits stay on, raised so far that their cost is measured and not their effect. Nothing of a cluster is kept: only P10 measures the cache. */
export const RAISED_LIMITS = {
  MCP_K8S_QPS: '10000',
  MCP_K8S_BURST: '100000',
  MCP_RATELIMIT_REQUESTS_PER_SECOND: '1000000',
  MCP_RATELIMIT_BURST: '1000000',
  MCP_CONCURRENT_CALLS: '10000',
  MCP_K8S_CACHE_TTL: '0',
} as const;

/** A program with pipes; it is killed with this process at the latest. */
export const startPiped = (
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcessByStdio<Writable, Readable, null> => {
  const child = remember(spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'], env: cleanEnvironment(env) }));
  child.stdin.on('error', () => undefined); // It may end before it has read everything; its output tells.
  return child;
};

/** Starts something that says `url=...` on stderr when it listens. */
const startListening = async (args: readonly string[], env: Readonly<Record<string, string>>): Promise<Running> => {
  const child = remember(spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'], env: cleanEnvironment(env) }));
  let said = '';
  const url = await new Promise<string>((found, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      if (said.length < 100_000) said += chunk.toString();
      const [, address] = /url=(http:\/\/\S+)/.exec(said) ?? [];
      if (address !== undefined) found(address);
    });
    child.once('exit', (code) => reject(new Error(`${args.join(' ')} ended with ${code}: ${said}`)));
  });
  return {
    pid: child.pid ?? 0,
    url,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
};

/** Our server over HTTP on a free port. */
export const startServer = (program: Program, { args = [], env = {}, node = [] }: StartOptions = {}): Promise<Running> =>
  startListening([...node, program.main, '--addr', '127.0.0.1:0', ...args], { ...RAISED_LIMITS, ...env });

/** A helper of the benchmark that listens, in a process of its own. */
export const startHelper = (name: string, env: Readonly<Record<string, string>> = {}): Promise<Running> =>
  startListening([join(import.meta.dirname, name)], env);

/** Resident memory, bytes. */
export const memoryOf = (pid: number): number => {
  const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
};
