// Many calls of a tool that does nothing, and the processor time that a server spends on them.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { McpClient } from './mcp.ts';
import { sum } from './statistics.ts';

const CALLERS = 8;
const TOOL = 'bench_do_nothing';

/** A service with one tool, which does nothing. */
export const BENCH_PLUGIN = { MCP_PLUGINS: join(import.meta.dirname, 'no-op.ts'), MCP_PROFILES: 'bench' } as const;

/** Processor time of all threads so far, ms: the scheduler's own count, finer than clock ticks. */
export const processorTime = (pid: number): number => {
  const folder = `/proc/${pid}/task`;
  const spent = readdirSync(folder).map((thread) => Number(readFileSync(join(folder, thread, 'schedstat'), 'utf8').split(' ')[0]));
  return sum(spent) / 1e6;
};

export const callInBatch = async (client: McpClient, size: number): Promise<void> => {
  let left = size;
  const caller = async (): Promise<void> => {
    while (left-- > 0) await client.send('tools/call', { name: TOOL, arguments: {} });
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
};
