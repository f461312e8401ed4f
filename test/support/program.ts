// For tests: the built program as users start it, on the embedded shop.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createEmbeddedKubernetes, type EmbeddedKubernetes } from '../../src/embedded/kubernetes/index.ts';

export const PROGRAM = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface Cluster {
  readonly embedded: EmbeddedKubernetes;
  readonly kubeconfig: string;
  close(): Promise<void>;
}

/** An embedded shop and a kubeconfig file that leads to it. */
export const openCluster = async ({ tls = false }: { tls?: boolean } = {}): Promise<Cluster> => {
  const embedded = createEmbeddedKubernetes();
  await embedded.listen({ tls });
  const folder = await mkdtemp(join(tmpdir(), 'cluster-'));
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, embedded.kubeconfig('admin'));
  return {
    embedded,
    kubeconfig,
    async close() {
      await embedded.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
};

export interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  readonly stderr: () => string;
  /** Exit code and signal, when it has ended. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  stop(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

const ENVIRONMENT = { PATH: process.env['PATH'] ?? '', HOME: tmpdir() };

/** Starts the program on a free port and waits until it says where it listens. */
export const startProgram = async (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Running> => {
  const child = spawn(process.execPath, [PROGRAM, '--addr', '127.0.0.1:0', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...ENVIRONMENT, ...env },
  });
  let stderr = '';
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  );
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      // As text, or as JSON.
      const found = /\burl(?:=|":")(https?:\/\/[^\s"]+)/.exec(stderr)?.[1];
      if (found !== undefined) resolve(found);
    });
    void ended.then(({ code }) => reject(new Error(`the program ended with ${code}: ${stderr}`)));
  });
  return {
    child,
    url,
    stderr: () => stderr,
    ended,
    stop: (signal = 'SIGTERM') => {
      child.kill(signal);
      return ended;
    },
  };
};

/** Runs the program to its end. */
export const runProgram = (
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input?: string,
): Promise<{ code: number | null; stdout: string; stderr: string }> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['pipe', 'pipe', 'pipe'], env: { ...ENVIRONMENT, ...env } });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(input);
  });
