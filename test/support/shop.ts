// For tests: the application on the embedded shop, called through the same engine as every transport.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type App, createApp, loadSettings } from '../../src/app.ts';
import { createEmbeddedKubernetes, type EmbeddedKubernetes, type EmbeddedKubernetesOptions } from '../../src/embedded/kubernetes/index.ts';
import type { ProgressUpdate } from '../../src/kit/context.ts';
import type { FinalAnswer } from '../../src/kit/result.ts';

export interface ShopOptions extends EmbeddedKubernetesOptions {
  /** Whose kubeconfig the server uses. */
  readonly user?: 'admin' | 'operator' | 'viewer' | 'nobody';
  /** Settings by dotted key. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** The server's clock. */
  readonly now?: () => number;
  /** The cluster's address is https: Helm and kubectl send no login otherwise. */
  readonly tls?: boolean;
  /** The server's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly progress?: (update: ProgressUpdate) => void;
}

export interface Shop {
  readonly app: App;
  readonly embedded: EmbeddedKubernetes;
  /** Everything the server logged. */
  readonly log: readonly string[];
  /** Calls a tool of any profile; rejects with an AppError. */
  call(tool: string, args?: Readonly<Record<string, unknown>>, options?: CallOptions): Promise<FinalAnswer>;
  close(): Promise<void>;
}

/** Starts an embedded cluster and the application that uses it. */
export const openShop = async ({
  user = 'admin',
  flags = {},
  now,
  env,
  tls = false,
  ...embeddedOptions
}: ShopOptions = {}): Promise<Shop> => {
  const embedded = createEmbeddedKubernetes(embeddedOptions);
  await embedded.listen({ tls });
  const folder = await mkdtemp(join(tmpdir(), 'shop-'));
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, embedded.kubeconfig(user));
  const opened = await openApp({ 'kubernetes.kubeconfig': kubeconfig, ...flags }, now, env);
  return {
    ...opened,
    embedded,
    async close() {
      await opened.close();
      await embedded.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
};

/** The application on any kubeconfig. Without a cache, so that a test sees what it has just changed. */
export const openApp = async (
  flags: Readonly<Record<string, unknown>>,
  now?: () => number,
  env: Readonly<Record<string, string>> = {},
): Promise<Omit<Shop, 'embedded'>> => {
  const log: string[] = [];
  const app = await createApp(await loadSettings({ env, flags: { 'logging.json': true, 'cache.enabled': false, ...flags } }), {
    log: (line) => void log.push(line),
    ...(now === undefined ? {} : { now }),
  });
  const { selection } = app.surface(['all']);
  return {
    app,
    log,
    call: (tool, args = {}, { signal = new AbortController().signal, progress } = {}) =>
      app.calls.call({ tool, args, caller: app.local, selection, signal, ...(progress === undefined ? {} : { progress }) }),
    close: () => app.close(),
  };
};
