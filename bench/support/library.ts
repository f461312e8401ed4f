// A process of its own: the protocol library on the same adapter, with one tool and nothing of ours. What P9 shows above it are our layers.

import { serve } from '@hono/node-server';
import { createMcpHandler, Server } from '@modelcontextprotocol/server';

const createServer = (): Server => {
  const server = new Server({ name: 'library', version: '1.0.0' }, { capabilities: { tools: {} } });
  server.setRequestHandler('tools/call', () => ({ content: [{ type: 'text', text: 'done: true' }], structuredContent: { done: true } }));
  return server;
};
const handler = createMcpHandler(createServer, { legacy: 'stateless' });

serve({ fetch: (request) => handler.fetch(request), hostname: '127.0.0.1', port: 0 }, ({ port }) => {
  process.stderr.write(`url=http://127.0.0.1:${port}\n`);
});
