// One command in a container over a WebSocket: the channels of `v4.channel.k8s.io` and `v5.channel.k8s.io`, as API server and kubelet speak them.
import { randomBytes } from 'node:crypto';
import type { JsonObject } from '../json.ts';
import type { Container } from './container.ts';
import { findProgram, type Process, whyNotStarted } from './programs.ts';
import type { Conversation } from './upgrade.ts';
import { acceptWebSocket, type ServerSocket } from './websocket.ts';

export const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** 3 carries the Status of the end; 255, in version 5 alone, tells that a channel has ended. */
const CHANNELS = { input: 0, output: 1, error: 2, status: 3, close: 255 } as const;

export interface Command {
  readonly words: readonly string[];
  readonly container: Container;
  readonly hasInput: boolean;
  readonly hasOutput: boolean;
  readonly hasError: boolean;
  readonly isTerminal: boolean;
}

export interface SessionOptions {
  readonly key: string;
  readonly protocol: Protocol;
  readonly command: Command;
  readonly clock: () => number;
  /** Called when all is over. */
  readonly onEnd: () => void;
}

const success: JsonObject = { metadata: {}, status: 'Success' };

/** The two versions word the same end differently: in version 5 the API server translates what the kubelet says. */
const failure = (code: number, words: readonly string[], protocol: Protocol): JsonObject => {
  const why =
    protocol === 'v5.channel.k8s.io'
      ? `command terminated with exit code ${code}`
      : `error executing command [${words.join(' ')}], exit code ${code}`;
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: ${why}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  };
};

const notStarted = (why: string, protocol: Protocol): JsonObject => {
  const run = randomBytes(32).toString('hex');
  const runtime = `error executing command in container: failed to exec in container: failed to start exec "${run}": ${why}`;
  const text = protocol === 'v5.channel.k8s.io' ? `Internal error occurred: ${runtime}` : runtime;
  return {
    metadata: {},
    status: 'Failure',
    message: `Internal error occurred: ${text}`,
    reason: 'InternalError',
    details: { causes: [{ message: text }] },
    code: 500,
  };
};

/** What the client types, piece by piece, until it ends. */
class Input implements AsyncIterable<Buffer> {
  readonly #pieces: Buffer[] = [];
  #isEnded = false;
  #wake = (): void => {};

  push(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#wake();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) yield piece;
      else if (this.#isEnded) return;
      else {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
      }
    }
  }
}

/** Go escapes what HTML would take for its own. */
const toGoJson = (value: JsonObject): string =>
  JSON.stringify(value).replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);

const run = async (command: Command, process: Process, protocol: Protocol): Promise<JsonObject> => {
  const { words, container } = command;
  const why = whyNotStarted(container, words);
  const [word = '', ...args] = words;
  const program = findProgram(word);
  if (why !== undefined || program === undefined) return notStarted(why ?? '', protocol);
  const code = await program(process, args);
  return code === 0 ? success : failure(code, words, protocol);
};

/** The conversation of a command: it begins when the socket is free, and ends with the command, the client or the server. */
export const createSession =
  ({ key, protocol, command, clock, onEnd }: SessionOptions): Conversation =>
  (socket, head) => {
    const input = new Input();
    const ending = new AbortController();
    const onMessage = (data: Buffer): void => {
      const [channel, which] = data;
      if (channel === CHANNELS.input && command.hasInput) input.push(data.subarray(1));
      if (channel === CHANNELS.close && which === CHANNELS.input && protocol === 'v5.channel.k8s.io') input.end();
    };
    const onClose = (): void => {
      input.end();
      ending.abort();
      onEnd();
    };
    const web = acceptWebSocket(socket, head, { key, protocol }, { onMessage, onClose });
    if (!command.hasInput) input.end();
    begin(web, command);
    void run(command, toProcess(web, command, { input, clock, signal: ending.signal }), protocol).then((status) => {
      write(web, CHANNELS.status, toGoJson(status));
      web.close();
    });
    return () => web.destroy();
  };

const write = (web: ServerSocket, channel: number, text: string): void =>
  web.send(Buffer.concat([Buffer.from([channel]), Buffer.from(text)]));

/** The server says that it is there by an empty message on the first channel of the output. */
const begin = (web: ServerSocket, { hasOutput, hasError }: Command): void => {
  if (hasOutput) write(web, CHANNELS.output, '');
  else if (hasError) write(web, CHANNELS.error, '');
};

const toProcess = (web: ServerSocket, command: Command, rest: Pick<Process, 'input' | 'clock' | 'signal'>): Process => {
  const { container, hasOutput, hasError, isTerminal } = command;
  const say = (channel: number, text: string): void => {
    if (text !== '') write(web, channel, isTerminal ? text.replaceAll('\n', '\r\n') : text);
  };
  return {
    ...rest,
    container,
    out: (text) => hasOutput && say(CHANNELS.output, text),
    // A terminal has one stream for both.
    err: (text) => (isTerminal ? hasOutput && say(CHANNELS.output, text) : hasError && say(CHANNELS.error, text)),
  };
};
