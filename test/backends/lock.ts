/** One holder at a time on this machine, across processes and checkouts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { cacheFolder } from './folders.ts';
import { say } from './log.ts';

/**
 * Runs `work` while holding the lock `name`. The lock is the kernel's (flock), held by a child that lives as long as our
 * end of its stdin: whatever ends this process, also SIGKILL, frees it, so no stale lock is ever left behind.
 */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const file = join(cacheFolder('locks'), name);
  const holder = spawn('flock', [file, 'sh', '-c', 'echo held; exec cat >/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = setTimeout(() => say(`waiting for another run that holds ${file}`), 1000);
  try {
    await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit').then(() => Promise.reject(new Error(`could not lock ${file}`)))]);
  } finally {
    clearTimeout(waiting);
  }
  try {
    return await work();
  } finally {
    const ended = once(holder, 'exit');
    holder.stdin.end();
    await ended;
  }
}
