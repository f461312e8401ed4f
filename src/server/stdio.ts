// Opens the stdio transport: only JSON-RPC on stdout, both eras on one connection.

import { serveStdio } from '@modelcontextprotocol/server/stdio';
import type { ServerFactory } from '../mcp/server.ts';

export interface StdioDoor {
  /** Resolves when the client has closed its end. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

export const openStdio = (factory: ServerFactory, report: (error: unknown, where: string) => void): StdioDoor => {
  const ended = new Promise<void>((resolve) => {
    process.stdin.once('end', resolve);
    process.stdin.once('close', resolve);
  });
  const handle = serveStdio((ctx) => factory({ ...ctx, live: true }), { legacy: 'serve', onerror: (error) => report(error, 'stdio') });
  return { ended, close: () => handle.close() };
};
