// Plain calls are answered without the protocol library's server per request (docs/decisions/0025): the answers must be those of the library, to the last header.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Cluster, openCluster, type Running, startProgram } from '../support/program.ts';

let cluster: Cluster;
let server: Running;
beforeAll(async () => {
  cluster = await openCluster();
  server = await startProgram(['--kubeconfig', cluster.kubeconfig], { MCP_CACHE_ENABLED: 'false' });
});
afterAll(async () => {
  await server.stop();
  await cluster.close();
});

const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
/** Change with every answer. */
const OWN_HEADERS = ['date', 'x-request-id', 'ratelimit'];

const call = async (path: string, name: string, args: unknown, extra: Record<string, unknown> = {}) => {
  const response = await fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': name,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 'a',
      method: 'tools/call',
      params: { name, arguments: args, _meta: { ...META, ...extra } },
    }),
  });
  const headers = Object.fromEntries([...response.headers].filter(([header]) => !OWN_HEADERS.includes(header)));
  return { status: response.status, headers, body: (await response.json()) as unknown };
};

const CALLS: readonly (readonly [what: string, name: string, args: unknown])[] = [
  ['an object', 'kubernetes_get_resource', { kind: 'namespace', name: 'default' }],
  ['an object that is not there', 'kubernetes_get_resource', { kind: 'pod', name: 'absent', namespace: 'default' }],
  ['an argument that does not exist', 'kubernetes_get_resource', { kind: 'pod', name: 'a', colour: 'red' }],
  ['an argument of the wrong type', 'kubernetes_get_resource', { kind: 7 }],
  ['a polluting argument', 'kubernetes_get_resource', JSON.parse('{"kind":"namespace","name":"default","__proto__":{"a":1}}')],
  ['a tool that does not exist', 'kubernetes_dance', {}],
  ['no object for arguments', 'kubernetes_get_resource', [1]],
  ['no arguments', 'platform_list_services', undefined],
];

it.each(['/mcp', '/api/aggregate/http', '/api/aggregate/streamable-http'])('%s answers plain calls as the library does', async (path) => {
  // The library sees what a client says of itself first.
  expect((await call(path, 'kubernetes_get_resource', { kind: 'namespace', name: 'default' })).status).toBe(200);
  for (const [what, name, args] of CALLS) {
    const plain = await call(path, name, args);
    // A key that nobody knows makes a call one for the library.
    const library = await call(path, name, args, { 'example.com/unknown': true });
    expect(plain, what).toEqual(library);
  }
});
