// One run of a program: arguments as a list, no shell, a process group of its own that ends with the call.

import { spawn } from 'node:child_process';
import { AppError } from '../../../kit/errors.ts';

export interface ProcessOptions {
  readonly args: readonly string[];
  readonly input?: string;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface ProcessResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Ended by us: the time was over, or the caller had left. */
  readonly isStopped: boolean;
}

const MAX_STDOUT = 64 * 1024 * 1024;
const MAX_STDERR = 256 * 1024;
/** Time to write down the state of a release after the polite signal. */
const GRACE_MS = 8000;

/** Keeps the end of what comes. */
const collect = (stream: NodeJS.ReadableStream, limit: number): { text(): string; readonly isFull: boolean } => {
  const chunks: Buffer[] = [];
  let size = 0;
  let isFull = false;
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    while (size > limit && chunks.length > 1) {
      size -= chunks.shift()?.length ?? 0;
      isFull = true;
    }
  });
  return {
    text: () => Buffer.concat(chunks).toString('utf8'),
    get isFull() {
      return isFull;
    },
  };
};

/** Resolves when the program has ended, also after it was stopped. @throws UNSUPPORTED when it cannot be started */
export const runProcess = (program: string, { args, input = '', env, cwd, timeoutMs, signal }: ProcessOptions): Promise<ProcessResult> =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    // Its own group: what it starts ends with it.
    const child = spawn(program, args, { env: { ...env }, cwd, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    const stdout = collect(child.stdout, MAX_STDOUT);
    const stderr = collect(child.stderr, MAX_STDERR);
    let isStopped = false;
    let killing: NodeJS.Timeout | undefined;
    const kill = (name: NodeJS.Signals): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, name);
      } catch {
        // It has ended already.
      }
    };
    const stop = (): void => {
      if (isStopped) return;
      isStopped = true;
      kill('SIGTERM');
      killing = setTimeout(() => kill('SIGKILL'), GRACE_MS);
    };
    const timer = setTimeout(stop, timeoutMs);
    signal.addEventListener('abort', stop, { once: true });
    const settle = (): void => {
      clearTimeout(timer);
      clearTimeout(killing);
      signal.removeEventListener('abort', stop);
    };
    child.once('error', (cause) => {
      settle();
      reject(new AppError('UNSUPPORTED', 'The Helm binary cannot be started.', { details: { needs: 'helm.binary' }, cause }));
    });
    child.once('close', (code) => {
      settle();
      // What it left behind in its group.
      kill('SIGKILL');
      if (stdout.isFull)
        reject(new AppError('PAYLOAD_TOO_LARGE', 'The Helm binary wrote more than 64 MB.', { details: { limit: MAX_STDOUT } }));
      else resolve({ code, stdout: stdout.text(), stderr: stderr.text(), isStopped });
    });
    // It may end before it has read everything.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
