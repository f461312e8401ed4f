// For tests: what the audit endpoints answer, and calls by hand.

import { fileURLToPath } from 'node:url';
import type { AuditRecord } from '../../src/audit/index.ts';

/** The service with notes, as a plugin. */
export const NOTES = fileURLToPath(new URL('./notes-service.ts', import.meta.url));

export interface Rpc {
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
}

/** One request over plain HTTP. */
export const rpc = async (url: string, method: string, params: object, headers: Readonly<Record<string, string>> = {}): Promise<Rpc> => {
  const response = await fetch(`${url}/api/aggregate/http`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  return (await response.json()) as Rpc;
};

interface ToolResult {
  readonly isError?: boolean;
  readonly structuredContent: Readonly<Record<string, unknown>>;
}

export const callTool = async (
  url: string,
  name: string,
  args: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<ToolResult> => (await rpc(url, 'tools/call', { name, arguments: args }, headers)).result as unknown as ToolResult;

export const getRecords = async (url: string, query = ''): Promise<readonly AuditRecord[]> => {
  const response = await fetch(`${url}/api/audit/logs${query}`);
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()) as AuditRecord[];
};
