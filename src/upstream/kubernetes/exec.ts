// One command in a container, over the WebSocket form of `pods/exec` (remotecommand: a byte for the channel before every part).
import { AppError } from '../../kit/errors.ts';
import { statusOf } from '../kube.ts';
import { HandshakeRefused } from '../socket.ts';
import type { Query } from '../url.ts';
import type { Api, CallOptions } from './api.ts';
import { fieldsAt, listAt, textAt } from './objects.ts';
import { RESOURCES } from './resources.ts';

export interface ExecOptions extends Omit<CallOptions, 'timeoutMs'> {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly container?: string | undefined;
  /** Words; no shell unless it is one of them. */
  readonly command: readonly string[];
  /** Kept of each stream, bytes; the rest is read and dropped. */
  readonly maxBytes: number;
}

export interface Output {
  readonly text: string;
  /** All that came, bytes. */
  readonly size: number;
  readonly isCut: boolean;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: Output;
  readonly stderr: Output;
}

export interface Exec {
  /** Runs to its end, or until the signal fires: then the connection is closed, and the runtime ends what listens for that. */
  exec(options: ExecOptions): Promise<ExecResult>;
  /** Throws FORBIDDEN when the policy refuses this command. */
  permitCommand(options: Pick<ExecOptions, 'name' | 'namespace' | 'command'>): void;
}

/** v5 came with 1.30; both carry the exit code. */
const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
/** The first byte of every part. */
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const MOST_STATUS_BYTES = 65_536;

const createSink = (maxBytes: number) => {
  const parts: Buffer[] = [];
  let [size, kept] = [0, 0];
  return {
    add: (part: Buffer) => {
      size += part.length;
      if (kept >= maxBytes) return;
      const fitting = part.subarray(0, maxBytes - kept);
      kept += fitting.length;
      parts.push(fitting);
    },
    end: (): Output => ({ text: Buffer.concat(parts).toString('utf8'), size, isCut: size > kept }),
  };
};

const parseStatusText = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** @throws when the command could not be started: the runtime's words are in `details.upstream` */
const toExitCode = (text: string): number => {
  const status = parseStatusText(text);
  if (textAt(status, 'status') === 'Success') return 0;
  const causes = listAt(fieldsAt(status, 'details'), 'causes');
  const code = Number(
    textAt(
      causes.find((cause) => textAt(cause, 'reason') === 'ExitCode'),
      'message',
    ),
  );
  if (Number.isInteger(code)) return code;
  throw new AppError('FAILED_PRECONDITION', 'The command could not be run in the container.', {
    // The runtime's own words stand at the end.
    details: { service: 'kubernetes', reason: 'EXEC_FAILED', upstream: (textAt(status, 'message') ?? text).slice(-300) },
  });
};

export const createExec = (api: Api): Exec => {
  /** A refused handshake says nothing; the same path asked plainly does. */
  const explain = async (path: readonly string[], query: Query, { name, signal }: ExecOptions): Promise<AppError> => {
    const subject = `pods/${name}`;
    const asked = await api
      .json({ path, query, signal, api: 'create pods/exec', subject, idempotent: false })
      .then(() => undefined)
      .catch((thrown: unknown) => thrown);
    const isGeneric = /upgrade/i.test(statusOf(asked)?.message ?? '');
    if (asked instanceof AppError && !isGeneric) return asked;
    return new AppError('SERVICE_UNAVAILABLE', 'Kubernetes refused the connection for the command.', {
      details: { service: 'kubernetes', retry_after: '5s' },
    });
  };
  const toPath = ({ name, namespace, command }: Pick<ExecOptions, 'name' | 'namespace' | 'command'>): readonly string[] =>
    api.forChanges.objectPath(RESOURCES.pods, { name, namespace, subresource: 'exec', command });
  return {
    permitCommand: (options) => void toPath(options),
    exec: async (options) => {
      const { container, command, maxBytes, signal } = options;
      const path = toPath(options);
      const query = { command: [...command], container, stdout: true, stderr: true };
      const socket = await api
        .socket({ path, query, protocols: PROTOCOLS, signal, api: 'create pods/exec' })
        .catch(async (thrown: unknown) => {
          throw thrown instanceof HandshakeRefused ? await explain(path, query, options) : thrown;
        });
      const [stdout, stderr, error] = [createSink(maxBytes), createSink(maxBytes), createSink(MOST_STATUS_BYTES)];
      const sinks = new Map([
        [STDOUT, stdout],
        [STDERR, stderr],
        [ERROR, error],
      ]);
      await new Promise<void>((resolve) => {
        socket.addEventListener('message', ({ data }) => {
          const part = Buffer.from(data as ArrayBuffer);
          sinks.get(part[0] ?? -1)?.add(part.subarray(1));
        });
        socket.addEventListener('close', () => resolve(), { once: true });
        socket.addEventListener('error', () => resolve(), { once: true });
      });
      signal.throwIfAborted();
      const status = error.end().text;
      if (status === '')
        throw new AppError('SERVICE_UNAVAILABLE', 'The connection to the container broke before the command ended.', {
          details: { service: 'kubernetes', reason: 'EXEC_BROKEN' },
        });
      return { exitCode: toExitCode(status), stdout: stdout.end(), stderr: stderr.end() };
    },
  };
};
