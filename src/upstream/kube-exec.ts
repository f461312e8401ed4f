// Exec plugins of a kubeconfig: the operator's own programs that print an ExecCredential. Run without a shell, never interactive.
import { spawn } from 'node:child_process';
import { AppError } from '../kit/errors.ts';
import { abandonable } from './deadline.ts';
import { cleanText } from './failures.ts';
import type { ClusterEntry, ExecEntry } from './kubeconfig.ts';
import type { Clock } from './ports.ts';
import type { Environment } from './proxy.ts';
import { toFields, toText } from './shapes.ts';

export interface ExecCredential {
  readonly token: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

export interface ExecPlugin {
  /** The credential, from memory while it is valid. `fresh`: the server has just refused it. */
  get(signal: AbortSignal, options: { fresh: boolean }): Promise<ExecCredential>;
}

export interface ExecOptions {
  readonly exec: ExecEntry;
  readonly cluster: ClusterEntry;
  /** The cluster's certificate authority as PEM text, for plugins that ask for it. */
  readonly readCa: () => Promise<string | undefined>;
  /** Names the setting in messages: `users[name].user.exec`. */
  readonly setting: string;
  readonly env: Environment;
  readonly now: Clock;
  readonly timeoutMs?: number;
}

interface Remembered {
  readonly credential: ExecCredential;
  readonly expiresAt: number;
  readonly gotAt: number;
}

const API_VERSIONS: ReadonlySet<string> = new Set(['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1']);
const OUTPUT_LIMIT = 1024 * 1024;
/** A burst of refused calls runs the program once, not once per call. */
const REST_MS = 2000;
/** Renewed a little before the end, so that a request on its way does not expire there; of a short life at most a tenth. */
const MARGIN_MS = 10_000;

export const createExecPlugin = (options: ExecOptions): ExecPlugin => {
  const { now } = options;
  let remembered: Remembered | undefined;
  let running: Promise<Remembered> | undefined;
  const run = async () => {
    try {
      remembered = await runPlugin(options);
      return remembered;
    } finally {
      running = undefined;
    }
  };
  return {
    get: async (signal, { fresh }) => {
      const known = remembered;
      if (known !== undefined && (fresh ? now() - known.gotAt < REST_MS : now() < known.expiresAt)) return known.credential;
      // One run serves all who wait; whoever leaves, leaves alone.
      running ??= run();
      return (await abandonable(running, signal)).credential;
    },
  };
};

const runPlugin = async (options: ExecOptions): Promise<Remembered> => {
  const { exec, setting, now } = options;
  const fail = (problem: string, details: object = {}) =>
    new AppError('UNAUTHENTICATED', `The credential plugin ${programName(exec)} ${problem}.`, {
      details: { service: 'kubernetes', setting, ...details },
    });
  if (!API_VERSIONS.has(exec.apiVersion)) throw fail('uses an API version that is not supported: client.authentication.k8s.io/v1 is');
  if (exec.interactiveMode === 'Always') throw fail('wants to ask a person, which this server cannot do: use a login that needs nobody');
  const { code, stdout, stderr, error, timedOut } = await execute({ ...options, info: await toExecInfo(options) });
  if (error === 'ENOENT') throw fail('is not installed', exec.installHint === undefined ? {} : { hint: cleanText(exec.installHint, 1000) });
  if (error !== undefined) throw fail(`cannot be run (${error})`);
  if (timedOut) throw fail('did not end in time');
  if (code !== 0) throw fail(`failed (exit code ${code ?? 'unknown'})`, stderr === '' ? {} : { upstream: cleanText(stderr) });
  const { credential, expiry } = parseCredential(stdout, { apiVersion: exec.apiVersion, fail });
  const gotAt = now();
  return { credential, gotAt, expiresAt: expiry - Math.min(MARGIN_MS, Math.max(0, expiry - gotAt) / 10) };
};

const programName = ({ command }: ExecEntry): string => command.split('/').at(-1) ?? command;

const parseCredential = (output: string, { apiVersion, fail }: { apiVersion: string; fail: (problem: string) => AppError }) => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(output);
  } catch {
    throw fail('printed something that is not an ExecCredential');
  }
  const answer = toFields(parsed);
  if (answer['kind'] !== 'ExecCredential' || answer['apiVersion'] !== apiVersion)
    throw fail(`printed something that is not an ExecCredential of ${apiVersion}`);
  const status = toFields(answer['status']);
  const credential = {
    token: toText(status['token']),
    cert: toText(status['clientCertificateData']),
    key: toText(status['clientKeyData']),
  };
  if ((credential.cert === undefined) !== (credential.key === undefined))
    throw fail('printed a certificate without its key, or a key alone');
  if (credential.token === undefined && credential.cert === undefined) throw fail('printed no credential');
  const expiry = Date.parse(toText(status['expirationTimestamp']) ?? '');
  return { credential, expiry: Number.isNaN(expiry) ? Number.MAX_SAFE_INTEGER : expiry };
};

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly error: string | undefined;
  readonly timedOut: boolean;
}

const execute = ({ exec, info, env, timeoutMs = 30_000 }: ExecOptions & { info: object }): Promise<Outcome> =>
  new Promise((resolve) => {
    // A group of its own, so that a wrapper script cannot leave its child behind.
    const child = spawn(exec.command, exec.args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...env, ...exec.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
    });
    const kill = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    };
    let timedOut = false;
    let size = 0;
    const output: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
    const timer = setTimeout(() => {
      timedOut = true;
      kill();
      // Not only asked to end: a child that keeps the pipes open must not keep us.
      finish(null);
    }, timeoutMs);
    const collect = (name: 'stdout' | 'stderr') => (chunk: Buffer) => {
      size += chunk.length;
      if (size > OUTPUT_LIMIT) kill();
      else output[name].push(chunk);
    };
    child.stdout.on('data', collect('stdout'));
    child.stderr.on('data', collect('stderr'));
    const finish = (code: number | null, error?: string) => {
      clearTimeout(timer);
      resolve({ code, error, timedOut, stdout: Buffer.concat(output.stdout).toString(), stderr: Buffer.concat(output.stderr).toString() });
    };
    child.on('error', (error: NodeJS.ErrnoException) => finish(null, error.code ?? 'UNKNOWN'));
    child.on('close', (code) => finish(code));
  });

const toExecInfo = async ({ exec, cluster, readCa }: ExecOptions): Promise<object> => {
  const spec = { interactive: false };
  if (!exec.provideClusterInfo) return { apiVersion: exec.apiVersion, kind: 'ExecCredential', spec };
  const ca = await readCa();
  const info = {
    server: cluster.server,
    'tls-server-name': cluster.tlsServerName,
    'insecure-skip-tls-verify': cluster.insecure || undefined,
    'certificate-authority-data': ca === undefined ? undefined : Buffer.from(ca).toString('base64'),
    'proxy-url': cluster.proxyUrl,
    config: cluster.execConfig,
  };
  return { apiVersion: exec.apiVersion, kind: 'ExecCredential', spec: { ...spec, cluster: info } };
};
