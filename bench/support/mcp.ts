// A plain client of our server over HTTP: one POST per request, keep-alive, the answer read to its end. It costs as little as possible itself.

import { Agent, request } from 'undici';
import { z } from 'zod';

export const REVISION = '2026-07-28';

const META = {
  'io.modelcontextprotocol/protocolVersion': REVISION,
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
} as const;

type Fields = Readonly<Record<string, unknown>>;

const answerShape = z.object({ result: z.record(z.string(), z.unknown()).optional(), error: z.unknown().optional() });
const toolShape = z.object({
  isError: z.boolean().optional(),
  content: z.array(z.object({ type: z.string(), text: z.string().optional() })),
  structuredContent: z.record(z.string(), z.unknown()).optional(),
});

export interface ToolAnswer {
  /** What a model reads. */
  readonly text: string;
  readonly structured: Fields;
  /** The whole HTTP body, bytes. */
  readonly bytes: number;
}

export interface McpClient {
  /** The body of the answer, unread. */
  send(method: string, params?: Fields): Promise<string>;
  ask(method: string, params?: Fields): Promise<{ readonly result: Fields; readonly bytes: number }>;
  /** Throws when the tool failed. */
  call(tool: string, args: Fields): Promise<ToolAnswer>;
  close(): Promise<void>;
}

export const toRequest = (method: string, params: Fields = {}, id = 1): string =>
  JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: META } });

export const toHeaders = (method: string, params: Fields = {}): Record<string, string> => ({
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': REVISION,
  'mcp-method': method,
  ...(typeof params['name'] === 'string' ? { 'mcp-name': params['name'] } : {}),
});

/** @param path the endpoint @param headers sent with every request, such as an API key */
export const connectMcp = (url: string, path = '/mcp', headers: Readonly<Record<string, string>> = {}): McpClient => {
  const agent = new Agent({ connections: 128, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
  let id = 0;
  const send: McpClient['send'] = async (method, params = {}) => {
    id += 1;
    const { statusCode, body } = await request(`${url}${path}`, {
      dispatcher: agent,
      method: 'POST',
      headers: { ...toHeaders(method, params), ...headers },
      body: toRequest(method, params, id),
    });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`${method}: ${statusCode} ${text.slice(0, 500)}`);
    return text;
  };
  const ask: McpClient['ask'] = async (method, params) => {
    const text = await send(method, params);
    const { result, error } = answerShape.parse(JSON.parse(text));
    if (result === undefined) throw new Error(`${method}: ${JSON.stringify(error).slice(0, 500)}`);
    return { result, bytes: Buffer.byteLength(text) };
  };
  return {
    send,
    ask,
    async call(name, args) {
      const { result, bytes } = await ask('tools/call', { name, arguments: args });
      const { isError, content, structuredContent = {} } = toolShape.parse(result);
      const text = content.map((part) => part.text ?? '').join('\n');
      if (isError === true) throw new Error(`${name}: ${text.slice(0, 500)}`);
      return { text, structured: structuredContent, bytes };
    },
    close: () => agent.destroy(),
  };
};
