/** Running a program to its end: output captured or streamed to a log file, failure told with the tail of what it said. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string | undefined>;
  readonly input?: string;
  /** Append stdout and stderr to this file instead of capturing them. */
  readonly logFile?: string;
  readonly signal?: AbortSignal;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program and gives its exit code and output, whatever the code; rejects only if it could not be started. */
export function runCommand(file: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const log = options.logFile === undefined ? undefined : openSync(options.logFile, 'a');
  const { promise, resolve, reject } = Promise.withResolvers<CommandResult>();
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['pipe', log ?? 'pipe', log ?? 'pipe'],
    signal: options.signal,
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin?.on('error', () => undefined); // A program may end before it has read its input; its exit code says what happened.
  child.stdin?.end(options.input ?? '');
  child.on('error', reject);
  child.on('close', (code, signal) =>
    resolve({
      code: code ?? (signal === null ? 1 : 128),
      stdout: Buffer.concat(out).toString(),
      stderr: Buffer.concat(err).toString(),
    }),
  );
  return promise.finally(() => {
    if (log !== undefined) closeSync(log);
  });
}

/** Runs a program that must succeed; gives its stdout, trimmed. The error carries the last lines of its output. */
export async function mustRun(file: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await runCommand(file, args, options);
  if (result.code === 0) return result.stdout.trim();
  const said = options.logFile === undefined ? lastLines(`${result.stdout}\n${result.stderr}`) : logTail(options.logFile);
  const shown = [file, ...args].join(' ');
  throw new Error(`exit code ${result.code}: ${shown.length > 300 ? `${shown.slice(0, 300)}...` : shown}\n${said}`);
}

/** The last lines of a log file, for error messages. */
export function logTail(file: string, lines = 15): string {
  return `${file}:\n${lastLines(readFileSync(file, 'utf8'), lines)}`;
}

function lastLines(text: string, lines = 15): string {
  return text
    .trim()
    .split('\n')
    .slice(-lines)
    .map((line) => `  ${line.slice(0, 600)}`)
    .join('\n');
}
