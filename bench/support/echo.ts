// A process of its own: the least that a JSON server on Hono can do. It is the floor of P9.

import { serve } from '@hono/node-server';
import { Hono } from 'hono';

const app = new Hono();
app.post('/mcp', async (c) => c.json(await c.req.json()));

serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) => void process.stderr.write(`url=http://127.0.0.1:${port}\n`));
