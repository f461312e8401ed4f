import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { takeDown } from './lifecycle.ts';
import { childrenOf, identify, isAlive } from './process-id.ts';
import { Run } from './run.ts';
import { freePorts, untilReady } from './wait.ts';

const runs: Run[] = [];

afterEach(async () => {
  for (const run of runs.splice(0)) if (existsSync(run.folder)) await takeDown(Run.open(run.id));
});

function newRun(): Run {
  const run = Run.create();
  runs.push(run);
  return run;
}

describe('a run', () => {
  it('ends its processes and their children, and leaves no file behind', async () => {
    const run = newRun();
    const started = run.start('example', 'shell', ['sh', '-c', 'echo begun; sleep 1000 & wait']);
    await untilReady(started, async () => readFileSync(join(run.logs, 'shell.log'), 'utf8').includes('begun'));
    const [entry] = JSON.parse(readFileSync(join(run.folder, 'run.json'), 'utf8')).processes;
    const child = identify(childrenOf(entry.id.pid)[0] ?? -1);
    await takeDown(Run.open(run.id));
    expect(isAlive(entry.id)).toBe(false);
    expect(child !== undefined && isAlive(child)).toBe(false);
    expect(existsSync(run.folder)).toBe(false);
  });

  it('tells with the tail of its log when a process ends while it is waited for', async () => {
    const started = newRun().start('example', 'failing', ['sh', '-c', 'echo no such luck; exit 3']);
    await expect(untilReady(started, async () => false)).rejects.toThrow(/failing ended \(3\)[\s\S]*no such luck/);
  });

  it('names the processes that should run and do not', async () => {
    const run = newRun();
    const started = run.start('example', 'short', ['true']);
    await expect(started.ended).rejects.toThrow();
    expect(run.deadProcesses('example')).toEqual(['short']);
    expect(run.deadProcesses('other')).toEqual([]);
  });

  it('is wanted as long as its owner lives, then stale; without an owner it stays', async () => {
    const run = newRun();
    const owner = spawn('sleep', ['1000'], { stdio: 'ignore' });
    run.setReady(owner.pid);
    expect(Run.open(run.id)).toMatchObject({ isStale: false, isReady: true });
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    expect(Run.open(run.id)).toMatchObject({ isStale: true, isReady: false });
    run.setReady();
    expect(Run.open(run.id)).toMatchObject({ isStale: false, isReady: true });
  });
});

describe('a process', () => {
  it('is not mistaken for a later one with its number', () => {
    const id = identify(process.pid);
    expect(id !== undefined && isAlive(id)).toBe(true);
    expect(id !== undefined && isAlive({ ...id, started: '1' })).toBe(false);
    expect(id !== undefined && isAlive({ ...id, boot: 'another' })).toBe(false);
  });
});

it('finds free ports that differ', async () => {
  expect(new Set(await freePorts(5)).size).toBe(5);
});
