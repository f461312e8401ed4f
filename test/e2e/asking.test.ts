// Confirmation through elicitation, and long calls as tasks, with a real client over HTTP.

import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type App, createApp, loadSettings } from '../../src/app.ts';
import { backend, resetNotes } from '../support/notes-service.ts';

const PLUGIN = fileURLToPath(new URL('../support/notes-service.ts', import.meta.url));

let app: App;
let url: string;
beforeAll(async () => {
  const flags = {
    plugins: [PLUGIN],
    'security.allowWrites': true,
    'security.approval.write': 'elicit',
    'server.addr': '127.0.0.1:0',
    'server.legacySessions': true,
  };
  app = await createApp(await loadSettings({ env: {}, flags }), { log: () => {} });
  url = `${(await app.openHttp()).url}/api/notes/streamable-http`;
});
afterAll(() => app.close());
beforeEach(resetNotes);

type Mode = NonNullable<ConstructorParameters<typeof Client>[1]>['versionNegotiation'];

const connect = async (versionNegotiation: Mode, action: 'accept' | 'decline'): Promise<{ client: Client; questions: string[] }> => {
  const client = new Client(
    { name: 'asked', version: '1.0.0' },
    { capabilities: { elicitation: {} }, ...(versionNegotiation === undefined ? {} : { versionNegotiation }) },
  );
  const questions: string[] = [];
  client.setRequestHandler('elicitation/create', async ({ params }) => {
    questions.push(params.message);
    return action === 'accept' ? { action, content: { confirm: true } } : { action };
  });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  return { client, questions };
};

const setText = (client: Client) => client.callTool({ name: 'notes_set_text', arguments: { id: 'first', text: 'goodbye' } });

describe.each([
  ['2026-07-28', { mode: { pin: '2026-07-28' } } as Mode],
  ['2025-11-25 with a session', undefined],
])('asking the user at %s', (_, mode) => {
  it('shows the diff, and applies when the user says yes', async () => {
    const { client, questions } = await connect(mode, 'accept');
    const result = await setText(client);
    expect(result.structuredContent).toMatchObject({ phase: 'applied', verification: { result: 'pass' } });
    expect(questions).toEqual(['Set the text of note first\ntext: "hello" -> "goodbye"']);
    expect(backend.writes).toBe(1);
    await client.close();
  });

  it('changes nothing when the user says no', async () => {
    const { client } = await connect(mode, 'decline');
    const result = await setText(client);
    expect(result).toMatchObject({ isError: true, structuredContent: { error: { code: 'FORBIDDEN', details: { by: 'user' } } } });
    expect(backend.writes).toBe(0);
    await client.close();
  });
});

describe('a confirmation', () => {
  const META = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { elicitation: {}, extensions: { 'io.modelcontextprotocol/tasks': {} } },
  };
  const send = async (method: string, params: Record<string, unknown>, name: string): Promise<Record<string, unknown>> => {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      'mcp-name': name,
    };
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: META } }),
    });
    return (await response.json()) as Record<string, unknown>;
  };
  const call = (args: Record<string, unknown>, extra: Record<string, unknown> = {}) =>
    send('tools/call', { name: 'notes_set_text', arguments: args, ...extra }, 'notes_set_text');
  const yes = { inputResponses: { confirm: { action: 'accept', content: { confirm: true } } } };

  it('counts once, for its own call alone, and not when altered', async () => {
    const first = await call({ id: 'first', text: 'goodbye' });
    const { requestState } = first['result'] as { requestState: string };
    const other = await call({ id: 'first', text: 'something else' }, { ...yes, requestState });
    expect(other['result']).toMatchObject({ resultType: 'input_required' });
    const altered = await call({ id: 'first', text: 'goodbye' }, { ...yes, requestState: `${requestState.slice(0, -4)}AAAA` });
    expect(altered['error']).toMatchObject({ code: -32602, data: { reason: 'invalid_request_state' } });
    expect(backend.writes).toBe(0);
    const done = await call({ id: 'first', text: 'goodbye' }, { ...yes, requestState });
    expect(done['result']).toMatchObject({ structuredContent: { phase: 'applied' } });
    backend.notes.set('first', { text: 'hello', version: 1 });
    const replayed = await call({ id: 'first', text: 'goodbye' }, { ...yes, requestState });
    expect(replayed['result']).toMatchObject({ isError: true });
    expect(backend.writes).toBe(1);
  });

  it('turns a long call into a task that can be polled and cancelled', async () => {
    const short = await send('tools/call', { name: 'notes_pause', arguments: { duration: '10ms' } }, 'notes_pause');
    expect(short['result']).toMatchObject({ structuredContent: { waited: '10ms' } });
    const started = await send('tools/call', { name: 'notes_pause', arguments: { duration: '1500ms' } }, 'notes_pause');
    const { taskId } = started['result'] as { taskId: string };
    expect(started['result']).toMatchObject({ resultType: 'task', status: 'working', pollIntervalMs: 1000 });
    await expect
      .poll(async () => (await send('tasks/get', { taskId }, taskId))['result'], { timeout: 10_000 })
      .toMatchObject({ status: 'completed', result: { structuredContent: { waited: '1500ms' } } });
    const long = await send('tools/call', { name: 'notes_pause', arguments: { duration: '60000ms' } }, 'notes_pause');
    const { taskId: longId } = long['result'] as { taskId: string };
    await send('tasks/cancel', { taskId: longId }, longId);
    expect((await send('tasks/get', { taskId: longId }, longId))['result']).toMatchObject({ status: 'cancelled' });
    expect((await send('tasks/get', { taskId: 'nobody-knows' }, 'nobody-knows'))['error']).toMatchObject({ code: -32602 });
  });
});
