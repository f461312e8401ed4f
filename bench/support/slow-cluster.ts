// A process of its own: the embedded API server, every answer of which takes 20 ms. Equal questions are computed once, so that the time
// is waiting and not work. Its token is that of the environment's TOKEN_FILE, written before it says where it listens.

import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { createEmbeddedKubernetes } from '../../src/embedded/kubernetes/index.ts';

const DELAY_MS = 20;

interface Known {
  readonly status: number;
  readonly headers: Headers;
  readonly body: ArrayBuffer;
}

const embedded = createEmbeddedKubernetes();
const known = new Map<string, Promise<Known>>();

const compute = async (request: Request): Promise<Known> => {
  const response = await embedded.handle(request);
  return { status: response.status, headers: response.headers, body: await response.arrayBuffer() };
};

const answer = async (request: Request): Promise<Response> => {
  const key = `${request.method} ${request.url} ${request.headers.get('accept')}`;
  const waited = delay(DELAY_MS);
  const found = known.get(key) ?? compute(request);
  known.set(key, found);
  const { status, headers, body } = await found;
  await waited;
  return new Response(body, { status, headers });
};

writeFileSync(process.env['TOKEN_FILE'] ?? '', embedded.token('admin'));
const listener = getRequestListener(answer, { overrideGlobalObjects: false });
const server = createServer((incoming, outgoing) => void listener(incoming, outgoing));
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object') process.stderr.write(`url=http://127.0.0.1:${address?.port}\n`);
});
