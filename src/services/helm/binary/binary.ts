// The user's own Helm 3 or 4. Every run has a folder of its own: empty homes, no plugins, a kubeconfig that goes with it.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CallContext } from '../../../kit/context.ts';
import { AppError } from '../../../kit/errors.ts';
import type { ServiceDeps } from '../../../kit/service.ts';
import { toHandoverKubeconfig } from '../../../upstream/kube-handover.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { type Kubernetes, toClientFor } from '../../../upstream/kubernetes/kubernetes.ts';
import type { HelmConfig } from '../config.ts';
import { findBinary, HELM_BINARY } from '../find.ts';
import type { StorageKind } from '../storage/revisions.ts';
import { toHelmError } from './failures.ts';
import { type ProcessResult, runProcess } from './process.ts';

export interface HelmRun {
  /** Verb and options; positional arguments stand apart. */
  readonly options: readonly string[];
  readonly positionals: readonly string[];
  /** Given as JSON through stdin; the option `--values -` is added. */
  readonly values?: Readonly<Record<string, unknown>> | undefined;
  readonly timeoutMs?: number | undefined;
}

/** A folder for some runs on one cluster. */
export interface Workspace {
  readonly major: 3 | 4;
  /** Puts a file there and gives its path. */
  put(name: string, bytes: Buffer): Promise<string>;
  /** Gives stdout. @throws the failure in words; DEADLINE_EXCEEDED or the caller's reason when it was stopped */
  run(run: HelmRun, ctx: CallContext): Promise<string>;
  /** Like `run`, but a failure is a result. */
  tryRun(run: HelmRun, ctx: CallContext): Promise<ProcessResult>;
}

export interface WorkspaceOptions {
  /** Absent = no cluster: templates alone. */
  readonly client?: KubernetesClient;
  readonly driver?: StorageKind | undefined;
}

export interface HelmBinary {
  readonly isThere: boolean;
  /** `v4.2.4`; builds from source may leave out the patch. */
  version(signal: AbortSignal): Promise<string>;
  use<Result>(options: WorkspaceOptions, ctx: CallContext, work: (workspace: Workspace) => Promise<Result>): Promise<Result>;
}

const VERSION_MS = 20_000;

const absent = (): AppError =>
  new AppError('UNSUPPORTED', `This needs ${HELM_BINARY}: Helm 3 or 4.`, {
    details: { needs: 'helm.binary', instead: { tool: 'helm_get_chart', arguments: {} } },
  });

export const createBinary = (config: HelmConfig, deps: ServiceDeps, kubernetes: Kubernetes): HelmBinary => {
  const program = findBinary(config, deps.env);
  let known: Promise<string> | undefined;

  const start = async (
    folder: string,
    args: readonly string[],
    rest: { input?: string; timeoutMs: number; signal: AbortSignal; env?: Record<string, string> },
  ) => {
    if (program === undefined) throw absent();
    const { env = {}, ...options } = rest;
    const home = (name: string): string => join(folder, name);
    return runProcess(program, {
      ...options,
      args,
      cwd: folder,
      env: {
        HOME: folder,
        TMPDIR: folder,
        PATH: '/usr/bin:/bin',
        HELM_CACHE_HOME: home('cache'),
        HELM_CONFIG_HOME: home('config'),
        HELM_DATA_HOME: home('data'),
        HELM_PLUGINS: home('plugins'),
        KUBECONFIG: home('kubeconfig'),
        ...env,
      },
    });
  };
  const inFolder = async <Result>(work: (folder: string) => Promise<Result>): Promise<Result> => {
    // Only its owner may look into it: mkdtemp gives mode 0700.
    const folder = await mkdtemp(join(tmpdir(), 'helm-run-'));
    try {
      await mkdir(join(folder, 'plugins'));
      return await work(folder);
    } finally {
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    }
  };
  const askVersion = (): Promise<string> =>
    inFolder(async (folder) => {
      const signal = new AbortController().signal;
      const { code, stdout } = await start(folder, ['version', '--template', '{{.Version}}'], { timeoutMs: VERSION_MS, signal });
      const version = /^v[34]\.\d+\S*/.exec(stdout.trim())?.[0];
      if (code === 0 && version !== undefined) return version;
      throw new AppError('UNSUPPORTED', 'The Helm binary is neither Helm 3 nor Helm 4.', { details: { needs: 'helm.binary' } });
    });
  const version = (): Promise<string> => {
    known ??= askVersion();
    // A binary that is mended is asked again.
    known.catch(() => {
      known = undefined;
    });
    return known;
  };

  return {
    isThere: program !== undefined,
    version: async (signal) => {
      signal.throwIfAborted();
      return version();
    },
    async use({ client, driver }, ctx, work) {
      ctx.signal.throwIfAborted();
      if (program === undefined) throw absent();
      const major = (await version()).startsWith('v3') ? 3 : 4;
      return inFolder(async (folder) => {
        if (client !== undefined) {
          const { impersonate } = toClientFor(kubernetes, undefined, ctx.caller);
          const learnSecret = (value: string): void => deps.learnSecret(value, { own: true });
          const text = await toHandoverKubeconfig(client.target, {
            impersonate,
            env: deps.env,
            now: deps.now,
            learnSecret,
            signal: ctx.signal,
          });
          await writeFile(join(folder, 'kubeconfig'), text, { mode: 0o600 });
        }
        const tryRun: Workspace['tryRun'] = async ({ options, positionals, values, timeoutMs }, { signal }) => {
          const args = [
            ...options,
            ...(values === undefined ? [] : ['--values', '-']),
            ...(config.debug ? ['--debug'] : []),
            ...(positionals.length === 0 ? [] : ['--', ...positionals]),
          ];
          const stored = driver ?? (deps.env['HELM_DRIVER'] === 'configmap' ? 'configmap' : 'secret');
          const result = await start(folder, args, {
            ...(values === undefined ? {} : { input: JSON.stringify(values) }),
            timeoutMs: timeoutMs ?? config.timeoutSec * 1000,
            signal,
            env: { HELM_DRIVER: stored },
          });
          if (config.debug)
            deps.logger.debug(
              { service: 'helm', args: options[0], code: result.code, stderr: result.stderr.slice(-20_000) },
              'the Helm binary has run',
            );
          return result;
        };
        return work({
          major,
          tryRun,
          async put(name, bytes) {
            const path = join(folder, name);
            await writeFile(path, bytes, { mode: 0o600 });
            return path;
          },
          async run(run, context) {
            const result = await tryRun(run, context);
            context.signal.throwIfAborted();
            if (result.isStopped)
              throw new AppError('DEADLINE_EXCEEDED', 'Helm did not end in time and was stopped.', {
                details: { setting: 'helm.timeoutSec' },
              });
            if (result.code !== 0) throw toHelmError(result.stderr, folder);
            return result.stdout;
          },
        });
      });
    },
  };
};
